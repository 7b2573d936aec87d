"""Codes at another volume, by a prior whose answer is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from semivae_bundle.evaluation.counterfactual import _volumes_times, counterfactual, write_counterfactuals
from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.networks.conditional_prior import ConditionalPrior
from semivae_bundle.networks.heads import StructuredHeads

PARTITION = {"vol": 2, "loc": 1, "residual": 2}
SCALES = Normalizer(
    (ColumnScale("vol_total", "vol", 9.0, 0.5, 30), ColumnScale("loc_x_total", "loc", 0.5, 0.1, 30)),
    1,
    (72.0, 72.0, 72.0),
    "0",
    "1",
)


class Toy(nn.Module):
    """The prior's mean of the location is 0.5 times the first dimension of the volume, its spread e^-1."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = StructuredHeads(PARTITION, {"vol": 1, "loc": 1})
        self.prior = ConditionalPrior(PARTITION, hidden_size=2, bound=1000.0)
        self.prior.parts[0].mean.weight.data[0, 0] = 0.5
        self.prior.parts[0].log_var.bias.data.fill_(-2.0)


def latents(n: int = 5) -> pd.DataFrame:
    rows = np.random.default_rng(0).normal(size=(n, 5))
    names = ["vol_00", "vol_01", "loc_00", "residual_00", "residual_01"]
    return pd.DataFrame(rows, columns=[f"mean_{name}" for name in names], index=[f"s{i}" for i in range(n)])


def doubled(table: pd.DataFrame, noise=torch.clone, factor: float = 2.0) -> pd.DataFrame:
    return counterfactual(table, Toy(), SCALES, PARTITION, volume_factor=factor, noise=noise)


def test_a_factor_of_one_leaves_every_code_where_it_is() -> None:
    found = doubled(latents(), factor=1.0)
    assert found[latents().columns].to_numpy() == pytest.approx(latents().to_numpy(), abs=1e-5)


@pytest.mark.parametrize("noise", [torch.clone, torch.zeros_like, torch.randn_like])
def test_the_volume_is_doubled_and_stays_so_whatever_the_rest_does(noise) -> None:
    found, before = doubled(latents(), noise)["vol_total_mm3"], doubled(latents(), factor=1.0)["vol_total_mm3"]
    assert (found / before).to_numpy() == pytest.approx(2, rel=1e-3)


def test_of_a_volume_that_is_residualised_on_another_the_volume_itself_is_doubled() -> None:
    on_total = ColumnScale("vol_ncr", "vol", 0.2, 0.5, 30, "vol_total", (-3.0, 1.0))
    scales = replace(SCALES, scales=(SCALES.scales[0], on_total, SCALES.scales[1]))
    predicted = torch.tensor([[0.3, 1.0, 0.0], [-0.2, 0.4, 1.0]])
    before, after = (scales.physical_table(one) for one in (predicted, _volumes_times(2.0, predicted, scales)))
    for name in ("vol_total_mm3", "vol_ncr_mm3"):
        assert (after[name] / before[name]).to_numpy() == pytest.approx(2, rel=1e-5)


def test_a_scan_keeps_what_is_its_own_while_the_rest_follows_the_volume() -> None:
    found, before = doubled(latents()), latents()
    moved = found["mean_vol_00"] - before["mean_vol_00"]
    assert (found["mean_loc_00"] - before["mean_loc_00"]).to_numpy() == pytest.approx(0.5 * moved, abs=1e-4)
    assert found["mean_residual_00"].to_numpy() == pytest.approx(before["mean_residual_00"], abs=1e-5)


def test_without_noise_the_rest_is_what_the_prior_expects() -> None:
    found = doubled(latents(), torch.zeros_like)
    assert found["mean_loc_00"].to_numpy() == pytest.approx(0.5 * found["mean_vol_00"], abs=1e-4)
    assert not found["mean_residual_00"].any()


def test_samples_spread_as_the_prior_says() -> None:
    torch.manual_seed(0)
    found = doubled(latents(4000), torch.randn_like)
    rest = found["mean_loc_00"] - 0.5 * found["mean_vol_00"]
    assert (rest.mean(), rest.std()) == pytest.approx((0, np.exp(-1)), abs=0.03)


def test_a_table_is_read_and_written(tmp_path: Path) -> None:
    latents().rename_axis("subject").to_csv(tmp_path / "latents.csv")
    write_counterfactuals(
        tmp_path / "latents.csv", tmp_path / "out.csv", Toy(), SCALES, PARTITION, 2.0, torch.zeros_like
    )
    found = pd.read_csv(tmp_path / "out.csv", index_col="subject")
    pd.testing.assert_frame_equal(
        found, doubled(latents(), torch.zeros_like), rtol=1e-6, check_names=False, check_dtype=False
    )


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run inference first"):
        write_counterfactuals(tmp_path / "no.csv", tmp_path / "out.csv", Toy(), SCALES, PARTITION, 2.0, torch.clone)
    with pytest.raises(ValueError, match=r"none for \['mean_loc_00'\]"):
        doubled(latents().drop(columns="mean_loc_00"))
    with pytest.raises(ValueError, match="finite number > 0, found 0"):
        doubled(latents(), factor=0.0)
    flat = Toy()
    del flat.prior
    with pytest.raises(ValueError, match="found Toy; train with"):
        counterfactual(latents(), flat, SCALES, PARTITION, volume_factor=2.0, noise=torch.clone)
