import json

import numpy as np
import pytest

from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.traversal import Traversal
from semivae_bundle.evaluation.traversal_options import TraversalOptions
from semivae_bundle.evaluation.traversal_report import direction_section, moves_of, traversal_report, traversal_table
from semivae_bundle.evaluation.traversal_scores import code_distance
from semivae_bundle.features.normalizer import Normalizer

INTERVALS = Intervals(level=0.95, resamples=20, permutations=5, seed=0)
TOGETHER = {"surface_total": ["vol_total"]}
OPTIONS = TraversalOptions(["surface_total", "loc_x_total"], 2, 3, 9, 2.0, 20.0, 0.9, TOGETHER)


def a_traversal(patient: str, position: int, gain: float) -> Traversal:
    """Whatever is moved, all three targets are drawn `gain` times as far."""
    asked = np.zeros((3, 3))
    asked[:, position] = [-1.0, 0.0, 1.0]
    drawn = gain * np.outer([-1.0, 0.0, 1.0], np.ones(3))
    return Traversal(patient, patient, position, asked, drawn, asked, drawn, asked)


def length(change: np.ndarray) -> np.ndarray:
    return np.linalg.norm(change, axis=1)


def test_moves_name_the_heads_that_move_with_the_judged_one_first(normalizer: Normalizer) -> None:
    assert moves_of(OPTIONS, normalizer) == {"surface_total": [2], "loc_x_total": [1], "surface_total_together": [2, 0]}


def test_the_report_has_figures_curves_and_what_was_held_fixed(normalizer: Normalizer) -> None:
    moved = {name: [a_traversal("p", places[0], 0.5)] for name, places in moves_of(OPTIONS, normalizer).items()}
    section = direction_section(moved, normalizer, OPTIONS, INTERVALS, length)
    directions = {"nearest": section, "usual": {"missing": "few scans"}}
    report = traversal_report(directions, normalizer, OPTIONS, INTERVALS, np.zeros((3, 2)), {"split": "test"})
    json.dumps(report, allow_nan=False)
    surface = report["directions"]["nearest"]["features"]["surface_total"]
    assert (surface["slope"]["value"], surface["farthest_change"]["value"]) == pytest.approx((0.5, 1.0))
    assert surface["curves"][0]["requested"] == [-1, 0, 1]
    assert report["directions"]["nearest"]["leakage"]["mean"] == pytest.approx(np.full((2, 2), 0.5))
    assert "surface_total_together" in traversal_table(report)
    assert "usual direction: few scans" in traversal_table(report)


def test_a_length_that_there_is_not_is_a_dash(normalizer: Normalizer) -> None:
    moved = {name: [a_traversal("p", places[0], 0.5)] for name, places in moves_of(OPTIONS, normalizer).items()}
    section = direction_section(moved, normalizer, OPTIONS, INTERVALS, code_distance(np.eye(3)))
    assert section["features"]["surface_total"]["farthest_change"]["value"] is None
    report = traversal_report({"nearest": section}, normalizer, OPTIONS, INTERVALS, np.zeros((3, 2)), {})
    assert all(line.split()[-2] == "-" for line in traversal_table(report).splitlines()[1:])


def test_leakage_is_the_mean_over_scans_as_its_meaning_says(normalizer: Normalizer) -> None:
    scans = [("p", 1.0), ("p", 1.0), ("q", -1.0)]
    moves = moves_of(OPTIONS, normalizer)
    moved = {name: [a_traversal(patient, at[0], gain) for patient, gain in scans] for name, at in moves.items()}
    leakage = direction_section(moved, normalizer, OPTIONS, INTERVALS, length)["leakage"]
    assert leakage["mean"][0][1] == pytest.approx(1 / 3)
    assert "mean over scans, signed" in leakage["meaning"]


def test_opposite_leakage_of_two_scans_cancels_in_the_mean_and_not_in_the_size(normalizer: Normalizer) -> None:
    moves = moves_of(OPTIONS, normalizer)
    moved = {name: [a_traversal("p", at[0], 1.0), a_traversal("q", at[0], -1.0)] for name, at in moves.items()}
    leakage = direction_section(moved, normalizer, OPTIONS, INTERVALS, length)["leakage"]
    assert leakage["mean"][0][1] == pytest.approx(0)
    assert leakage["mean_absolute"][0][1] == pytest.approx(1)
