"""Evaluation over all subsets of the modalities, with networks of known answer."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.data.modality_subsets import SUBSETS, subset_name
from semivae_bundle.evaluation.subset_run import write_subsets
from semivae_bundle.evaluation.subset_scores import SubsetScores, score_subsets
from semivae_bundle.evaluation.subset_table import subset_table
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.latent_metrics import r2_per_feature
from semivae_bundle.training.precision import AutocastInferer

PROVENANCE = {"split": "test", "checkpoint": {"file": "checkpoints/model.pt", "sha256": "c0ffee"}}


class ReadsChannels(nn.Module):
    """Predicts the second moments of t1c, t2f and t2w, and draws half of what it sees."""

    def __init__(self, told: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.9, 0.8, 0.7]))
        self.encoder = nn.Identity()
        self.encoder.feature_sizes = {"size": 4} | ({"presence": 4} if told else {})

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        moments = image.square().mean(dim=(2, 3, 4))
        return {"features": self.weight * moments[:, [0, 2, 3]], "reconstruction": 0.5 * image}


def batches(count: int = 4, size: int = 2) -> list[dict[str, Tensor]]:
    """Scans of 6³ whose features are those moments and some noise."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for first in range(count):
        spread = 1 + torch.rand(size, 4, 1, 1, 1, generator=generator)
        image = spread * torch.randn(size, 4, 6, 6, 6, generator=generator)
        moments = image.square().mean(dim=(2, 3, 4))[:, [0, 2, 3]]
        made.append(
            {
                "image": image,
                "features": moments + 0.1 * torch.randn(size, 3, generator=generator),
                "present": torch.ones(size, 3),
                "labelled": torch.ones(size, dtype=torch.bool),
                "regions": torch.zeros(size, 3, 6, 6, 6),
                "brain": torch.ones(size, 1, 6, 6, 6),
                "index": torch.arange(size) + size * first,
            }
        )
    return made


@pytest.fixture(scope="module")
def scores() -> SubsetScores:
    return score_subsets(batches(), ReadsChannels().eval(), AutocastInferer(False), progress=False)


@pytest.fixture
def table(scores: SubsetScores, normalizer: Normalizer) -> pd.DataFrame:
    return subset_table(scores, normalizer)


def test_every_subset_has_a_row(table: pd.DataFrame) -> None:
    assert list(table.index) == [subset_name(subset) for subset in SUBSETS]
    assert len(table) == 15
    assert set(table["scans"]) == {8}


def test_the_whole_set_has_the_r2_of_a_network_that_sees_everything(table: pd.DataFrame) -> None:
    whole = batches()
    with torch.no_grad():
        predicted = torch.cat([ReadsChannels()(batch["image"])["features"] for batch in whole]).numpy()
    target, present = (torch.cat([batch[key] for batch in whole]).numpy() for key in ("features", "present"))
    row, columns = table.loc["t1c+t1n+t2f+t2w"], ["r2_vol_total", "r2_loc_x_total", "r2_surface_total"]
    np.testing.assert_allclose(row[columns].astype(float), r2_per_feature(predicted, target, present), atol=1e-6)
    assert row["mean_r2"] == pytest.approx(row[["r2_vol", "r2_loc", "r2_shape"]].mean())


def test_hiding_a_channel_that_is_not_read_changes_no_feature(table: pd.DataFrame) -> None:
    r2 = [column for column in table if column.startswith("r2_")]
    assert table.loc["t1c+t2f+t2w", r2].equals(table.loc["t1c+t1n+t2f+t2w", r2])


def test_hiding_a_channel_that_is_read_costs_its_feature_alone(table: pd.DataFrame) -> None:
    whole, without = table.loc["t1c+t1n+t2f+t2w"], table.loc["t1n+t2f+t2w"]
    assert without["r2_vol"] < whole["r2_vol"] - 0.5
    assert without["r2_loc"] == whole["r2_loc"]


def test_what_is_imputed_is_compared_with_the_scan_that_was_hidden(scores: SubsetScores) -> None:
    # Half of a channel against the channel, or 0 against it: twice the error, 6.02 dB.
    whole, only_t1c = scores.psnr[0], scores.psnr[SUBSETS.index(("t1c",))]
    np.testing.assert_allclose(only_t1c[:, 0], whole[:, 0])
    np.testing.assert_allclose(whole[:, 1:] - only_t1c[:, 1:], 20 * np.log10(2), atol=1e-4)


def test_nothing_is_imputed_from_the_whole_set(table: pd.DataFrame) -> None:
    assert np.isnan(table.loc["t1c+t1n+t2f+t2w", "psnr_imputed_db"])
    assert table.loc["t1c", "psnr_present_db"] == pytest.approx(table.loc["t1c", "psnr_t1c_db"])
    others = table.loc["t1c", ["psnr_t1n_db", "psnr_t2f_db", "psnr_t2w_db"]].astype(float)
    assert table.loc["t1c", "psnr_imputed_db"] == pytest.approx(others.mean())


@pytest.mark.parametrize("told", [False, True])
def test_the_files_say_which_weights_and_what_the_network_does_not_know(
    told: bool, tmp_path: Path, normalizer: Normalizer
) -> None:
    network = ReadsChannels(told).eval()
    write_subsets(batches(2), network, AutocastInferer(False), normalizer, tmp_path, PROVENANCE, progress=False)
    text = (tmp_path / "subsets.md").read_text()
    assert "c0ffee" in text
    assert ("not told which modalities are absent" in text) == (not told)
    assert sum(line.startswith("| t") for line in text.splitlines()) == 15
    assert len(pd.read_csv(tmp_path / "subsets.csv", index_col="modalities")) == 15
    assert matplotlib.image.imread(tmp_path / "subsets.png").shape[1] > 500


def test_no_scan_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one scan"):
        score_subsets([], ReadsChannels(), AutocastInferer(False), progress=False)
