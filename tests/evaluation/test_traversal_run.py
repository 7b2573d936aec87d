import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.traversal_options import TraversalOptions
from semivae_bundle.evaluation.traversal_run import write_traversals
from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.features.schema import COLUMNS
from semivae_bundle.networks.heads import MLPHeads, StructuredHeads

SIDE, FOV = 24, (72.0, 72.0, 72.0)
PARTITION, COUNTS = {"vol": 2, "loc": 1, "residual": 1}, {"vol": 1, "loc": 1}
SCALES = Normalizer(
    (ColumnScale("vol_total", "vol", 9.0, 0.5, 30), ColumnScale("loc_x_total", "loc", 0.5, 0.1, 30)), 1, FOV, "0", "1"
)
TABLE = pd.DataFrame(1.0, index=["s0", "s1", "s2"], columns=list(COLUMNS))
INTERVALS = Intervals(level=0.95, resamples=20, permutations=5, seed=0)


class Mirrored(nn.Module):
    """The two dimensions of the volume are mirrored copies, and the decoder heeds their difference alone."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: nn.Module = StructuredHeads(PARTITION, COUNTS)
        self.heads.weight.data[0, :2] = torch.tensor([1.0, 0.3])
        self.decoder = self.draw  # type: ignore[assignment]

    def encode(self, image: Tensor) -> tuple[Tensor]:
        code = image[:, 0, :4, 0, 0].clone()
        code[:, 1] = 0.05 * code[:, 1] - code[:, 0]
        return (code,)

    def draw(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        axis = (torch.arange(SIDE) + 0.5) * FOV[0] / SIDE - FOV[0] / 2
        radius = (3 * torch.exp(9 + 0.5 * 0.35 * (latent[:, 0] - latent[:, 1])) / (4 * np.pi)) ** (1 / 3)
        place = 7.2 * latent[:, 2]
        squares = axis.square()[:, None] + axis.square()[None, :]
        inside = (axis - place[:, None]).square()[:, :, None, None] + squares <= radius.square()[:, None, None, None]
        logits = torch.stack([~inside, 0 * inside, 0 * inside, inside], dim=1).float()
        return torch.zeros_like(logits), logits


def items(count: int) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    image = [0.4 * torch.randn(4, SIDE, SIDE, SIDE, generator=generator) for _ in range(count)]
    return [{"subject": f"s{i}", "image": one, "brain": torch.ones(1, SIDE, SIDE, SIDE)} for i, one in enumerate(image)]


def a_run(folder: Path, network: nn.Module, scans: int = 12) -> dict[str, Any]:
    options = TraversalOptions(["vol_total", "loc_x_total"], 2, 5, scans, 2.0, 20.0, 0.9, {})
    splits = {"train": TABLE.index.tolist()}
    write_traversals(
        items(scans), network, SCALES, TABLE, splits, {"s1": "s0"}, options, INTERVALS, folder, {"split": "test"}, False
    )
    return dict(json.loads((folder / "traversals.json").read_text()))


def test_the_usual_direction_moves_what_the_nearest_leaves(tmp_path: Path) -> None:
    report = a_run(tmp_path, Mirrored(), scans=60)
    nearest, usual = (report["directions"][name]["features"]["vol_total"] for name in ("nearest", "usual"))
    # Along the weights (1, 0.3) the difference that is drawn grows by 0.7 / 1.09 of what is asked, times 0.35.
    assert nearest["slope"]["value"] == pytest.approx(0.35 * 0.7 / 1.09, abs=0.04)
    assert usual["slope"]["value"] == pytest.approx(1, abs=0.05)
    assert usual["farthest_change"]["value"] < nearest["farthest_change"]["value"]
    assert (usual["scans"], usual["patients"]) == (2, 1)


def test_pictures_of_an_earlier_run_go(tmp_path: Path) -> None:
    old, other = tmp_path / "traversal_of_vol_et_nearest.gif", tmp_path / "metrics.json"
    old.touch()
    other.touch()
    a_run(tmp_path, Mirrored())
    assert other.exists()
    assert not old.exists()
    assert len(list(tmp_path.glob("traversal_*_usual.*"))) == 2 + 2 * 2


def test_too_few_scans_leave_the_nearest_direction(tmp_path: Path) -> None:
    directions = a_run(tmp_path, Mirrored(), scans=5)["directions"]
    assert directions["usual"]["missing"] == "5 encoded scans; at least 6 are needed for 2 heads"
    assert directions["nearest"]["features"]["loc_x_total"]["slope"]["value"] == pytest.approx(1, abs=0.1)


def test_heads_without_an_inverse_are_refused_before_any_scan_is_read(tmp_path: Path) -> None:
    network = Mirrored()
    network.heads, network.encode = MLPHeads(PARTITION, COUNTS, 4), None  # type: ignore[method-assign, assignment]
    with pytest.raises(ValueError, match="found MLPHeads"):
        a_run(tmp_path, network)
