"""Traversals of decoders whose answer is known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.traversal import Traversal, compared, traverse
from semivae_bundle.evaluation.traversal_codes import nearest_change
from semivae_bundle.evaluation.traversal_options import TraversalOptions
from semivae_bundle.evaluation.traversal_request import central_ranges, positions, requested_values
from semivae_bundle.evaluation.traversal_scores import (
    code_distance,
    followed_section,
    leakage_section,
    rank_correlation,
    slope,
)
from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.features.schema import COLUMNS
from semivae_bundle.networks.heads import StructuredHeads

SIDE, FOV = 48, 144.0
FEATURES = ["vol_total", "loc_x_total", "elongation_total"]
TARGETS = {"vol": 1, "loc": 1, "shape": 1}
OPTIONS = TraversalOptions(
    FEATURES, scans=3, steps=7, code_scans=3, volume_factor=2.0, location_mm=20.0, central_share=0.9, together={}
)
INTERVALS = Intervals(level=0.95, resamples=50, permutations=5, seed=0)
CENTRAL = np.array([[-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]])


@pytest.fixture
def scales() -> Normalizer:
    """Elongation without its regression on the volume, which is steep, so that a mistake in undoing it shows."""
    return Normalizer(
        scales=(
            ColumnScale("vol_total", "vol", 10.0, 0.5, 30),
            ColumnScale("loc_x_total", "loc", 0.5, 0.1, 30),
            ColumnScale("elongation_total", "shape", 0.0, 0.1, 30, "vol_total", (-0.3, 0.1)),
        ),
        degree=1,
        fov_mm=(FOV, FOV, FOV),
        split_sha256="0",
        features_sha256="1",
    )


class Ellipsoids(nn.Module):
    """Draws the ellipsoid that the heads say: volume, centre along x, ratio of the second to the first axis.

    `ignores`: always draws that of the zero code. `drags`: mm that the centre moves by with a unit of ln volume.
    """

    def __init__(self, heads: nn.Module, scales: Normalizer, ignores: bool = False, drags: float = 0.0) -> None:
        super().__init__()
        self.heads, self.scales, self.ignores, self.drags = heads, scales, ignores, drags

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        asked = self.scales.inverse(self.heads((0 if self.ignores else 1) * latent).detach())
        maps = torch.stack([self.draw(*row) for row in asked])
        return torch.zeros(len(latent), 4, SIDE, SIDE, SIDE), 10 * torch.stack([1 - maps, *[maps * 0] * 2, maps], dim=1)

    def draw(self, ln_volume: float, x: float, ratio: float) -> Tensor:
        axis = ((torch.arange(SIDE) + 0.5) / SIDE - 0.5) * FOV
        place = (x - 0.5) * FOV + self.drags * (ln_volume - 10)
        longest = (3 * np.expm1(ln_volume) / (4 * np.pi * ratio * ratio)) ** (1 / 3)
        u = (axis - place)[:, None, None] / (ratio * longest)
        v, w = axis[None, :, None] / longest, axis[None, None, :] / (ratio * longest)
        return (u.square() + v.square() + w.square() <= 1).float()


class Toy(nn.Module):
    """Heads with weights of any size, and a decoder."""

    def __init__(self, scales: Normalizer, ignores: bool = False, drags: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.heads = StructuredHeads({"vol": 3, "loc": 2, "shape": 2, "residual": 2}, TARGETS)
        nn.init.normal_(self.heads.weight)
        nn.init.normal_(self.heads.bias, std=0.1)
        self.decoder = Ellipsoids(self.heads, scales, ignores, drags)


def traversals(toy: Toy, scales: Normalizer, column: str) -> list[Traversal]:
    place, found = FEATURES.index(column), []
    for seed in range(OPTIONS.scans):
        mean = 0.2 * torch.randn(9, generator=torch.Generator().manual_seed(seed))
        predicted = toy.heads(mean[None])[0].detach().double().numpy()
        values = requested_values(predicted, place, scales, OPTIONS, CENTRAL)
        found.append(
            traverse(
                toy, scales, nearest_change(toy.heads), mean, {place: values}, [FOV / SIDE] * 3, f"s{seed}", f"p{seed}"
            )[0]
        )
    return found


def length(change: np.ndarray) -> np.ndarray:
    return np.linalg.norm(change, axis=1)


def leakage(toy: Toy, scales: Normalizer, columns: Sequence[str] = FEATURES) -> np.ndarray:
    moved = {column: traversals(toy, scales, column) for column in columns}
    return np.array(leakage_section(moved, list(range(len(columns))), INTERVALS)["mean"])


@pytest.mark.parametrize("column", FEATURES)
def test_a_decoder_that_draws_what_it_is_told_follows(scales: Normalizer, column: str) -> None:
    found = followed_section(traversals(Toy(scales), scales, column), column, INTERVALS, length)
    assert found["spearman"].value == pytest.approx(1)
    assert found["slope"].value == pytest.approx(1, abs=0.05)
    assert found["without_the_region"]["scans"] == 0


def test_volumes_are_drawn_at_the_size_asked_for(scales: Normalizer) -> None:
    for one in traversals(Toy(scales), scales, "vol_total"):
        requested, obtained = compared(one, "vol_total")
        assert np.ptp(requested) == pytest.approx(np.log(4), abs=1e-4)
        assert obtained == pytest.approx(requested, abs=0.04)


def test_moving_the_volume_of_an_exact_decoder_leaks_nothing(scales: Normalizer) -> None:
    # Elongation is asked to change with the volume, as its regression says; of what is left, nothing does.
    assert np.abs(leakage(Toy(scales), scales) - np.eye(3)).max() < 0.1
    one = traversals(Toy(scales), scales, "vol_total")[0]
    assert np.ptp(one.requested_physical[:, 2]) == pytest.approx(0.1 * np.log(4), abs=1e-3)
    assert one.obtained_physical[:, 2] == pytest.approx(one.requested_physical[:, 2], abs=0.03)


@pytest.mark.parametrize("column", FEATURES)
def test_a_decoder_that_ignores_its_code_has_slope_0(scales: Normalizer, column: str) -> None:
    found = followed_section(traversals(Toy(scales, ignores=True), scales, column), column, INTERVALS, length)
    assert (found["slope"].value, found["spearman"].value) == (0, 0)


def test_a_place_that_moves_with_the_volume_shows_in_the_leakage(scales: Normalizer) -> None:
    rigged = leakage(Toy(scales, drags=14.4), scales)
    # 14.4 mm and half a unit of ln volume: a half of the location's 14.4 mm per standard deviation of the volume.
    assert rigged[0, 1] == pytest.approx(0.5, abs=0.05)
    assert abs(rigged[1, 0]) < 0.1


def test_a_shape_goes_through_the_central_range_of_the_training_subjects(scales: Normalizer) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(0.5, index=[f"s{i}" for i in range(99)], columns=list(COLUMNS))
    table.loc[:, [name for name in COLUMNS if name.startswith("has_")]] = 1.0
    table["vol_total"] = 9 + rng.uniform(size=99)
    table["elongation_total"] = -0.3 + 0.1 * table["vol_total"] + 0.1 * np.linspace(-2, 2, 99)
    ranges = central_ranges(table, {"train": table.index.tolist()}, scales, 0.5)
    assert ranges[2] == pytest.approx([-1, 1], abs=1e-4)
    values = requested_values(np.zeros(3), 2, scales, OPTIONS, ranges)
    assert (values[0], values[3], values[-1]) == pytest.approx((-1, 0, 1), abs=1e-4)


def test_a_feature_that_is_no_target_is_refused(scales: Normalizer) -> None:
    assert positions(["elongation_total", "vol_total"], scales) == [2, 0]
    with pytest.raises(ValueError, match=r"traversal_features: expected targets .* found \['vol_et'\]"):
        positions(["vol_total", "vol_et"], scales)


def test_an_empty_map_is_counted_and_leaves_a_gap(scales: Normalizer) -> None:
    class Vanishing(Ellipsoids):
        def draw(self, ln_volume: float, x: float, ratio: float) -> Tensor:
            return super().draw(ln_volume, x, ratio) * (x > 0.5)

    toy = Toy(scales)
    toy.decoder = Vanishing(toy.heads, scales)
    found = followed_section(traversals(toy, scales, "loc_x_total"), "loc_x_total", INTERVALS, length)
    assert found["without_the_region"]["scans"] == 3
    assert 6 <= found["without_the_region"]["maps"] <= 15
    assert np.isnan(found["curves"][0]["obtained"][0])
    assert found["slope"].value == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("scans", [1, 2, 3, 19])
def test_few_codes_give_no_length(scans: int) -> None:
    codes = np.random.default_rng(0).normal(size=(scans, 8))
    assert np.isnan(code_distance(codes)(np.ones((5, 8)))).tolist() == [True] * 5


def test_many_codes_give_the_length_in_their_standard_deviations() -> None:
    codes = np.random.default_rng(0).normal(size=(2000, 4)) * 2
    assert code_distance(codes)(np.array([[10.0, 0, 0, 0]])) == pytest.approx([5.0], rel=0.05)


def test_fewer_than_three_known_steps_have_no_figure() -> None:
    x, y = np.arange(4.0), np.array([1.0, np.nan, 2.0, np.nan])
    assert np.isnan(slope(x, y))
    assert np.isnan(rank_correlation(x, y))
    assert rank_correlation(x, np.array([4.0, 3.0, np.nan, 1.0])) == pytest.approx(-1)
