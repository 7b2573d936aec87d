from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.coverage import (
    coverage_section,
    expected_coverage,
    is_independent,
    share,
    volume_tertiles,
)
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.report import Intervals, metrics_report
from semivae_bundle.evaluation.results import Results
from semivae_bundle.evaluation.summary_table import summary_table
from semivae_bundle.features.normalizer import Normalizer


def test_tertiles_are_thirds_by_volume() -> None:
    assert volume_tertiles(np.array([5.0, 1.0, 9.0, 2.0, 8.0, 4.0])).tolist() == [1, 0, 2, 0, 2, 1]
    assert volume_tertiles(np.empty(0)).size == 0


def test_clopper_pearson_of_ten_in_ten_is_known() -> None:
    found = share(np.ones(10, bool), 0.95)
    assert (found["coverage"], found["high"], found["scans"]) == (1.0, 1.0, 10)
    assert found["low"] == pytest.approx(0.025**0.1)
    assert share(np.zeros(0, bool), 0.95)["coverage"] is None


def test_the_expected_range_is_binomial_for_a_large_calibration_and_wider_for_a_small_one() -> None:
    low, high = expected_coverage(10**6, 300, 0.9, 0.95) or []
    assert [300 * low, 300 * high] == pytest.approx(binom.ppf([0.025, 0.975], 300, 0.9), abs=1)
    wide = expected_coverage(45, 300, 0.9, 0.95) or []
    assert wide[0] < low < high < wide[1]
    assert expected_coverage(8, 300, 0.9, 0.95) is None


def test_the_section_counts_one_scan_per_patient(
    results: Results, normalizer: Normalizer, calibration: Calibration
) -> None:
    section = coverage_section(results, normalizer, calibration, {"split": "test"}, 0.95, 0)
    volume = section["features"]["vol_total"]
    assert volume["scans"] == 15  # 30 labelled scans of 15 patients
    assert sum(third["scans"] for third in volume["tertiles"].values()) == 15
    assert volume["mean_width_table"]["value"] == pytest.approx(1.0)
    assert volume["mean_width"]["unit"] == "mm3"
    assert section["features"]["loc_x_total"]["coverage"] is None


def test_known_errors_have_a_known_coverage(results: Results, normalizer: Normalizer, calibration: Calibration) -> None:
    off = results.target.copy()
    off[::4, 0] += 0.6  # Beyond half a unit, in one of the two scans of every second patient.
    alone = replace(results, predicted=off, patients=results.subjects)
    assert coverage_section(alone, normalizer, calibration, {"split": "test"}, 0.95, 0)["features"]["vol_total"][
        "coverage"
    ] == pytest.approx(22 / 30)


def test_a_coverage_on_the_calibration_split_says_that_it_is_no_evidence(
    results: Results, normalizer: Normalizer, calibration: Calibration
) -> None:
    assert coverage_section(results, normalizer, calibration, {"split": "test"}, 0.95, 0)["independent"] is True
    assert coverage_section(results, normalizer, calibration, {"split": "validation"}, 0.95, 0)["independent"] is False


LATENT = LatentOptions(neighbours=5, folds=3, trees=5, draws=20, false_discovery_rate=0.05, seed=0)


def test_the_printed_table_shows_the_coverage_and_warns_of_a_split_that_was_calibrated_on(
    results: Results, normalizer: Normalizer, calibration: Calibration, partition: dict[str, int]
) -> None:
    drawn = Intervals(level=0.95, resamples=20, permutations=5, seed=0)
    report = metrics_report(results, normalizer, partition, drawn, {"split": "validation"}, LATENT, None)
    assert "90% interval" not in summary_table(report)
    report["coverage"] = coverage_section(results, normalizer, calibration, {"split": "validation"}, 0.95, 0)
    text = summary_table(report)
    assert "90% interval" in text
    assert text.endswith("calibrated on, so this coverage is no evidence")


@pytest.mark.parametrize(
    ("split", "division", "independent"),
    [
        ("test", "a", False),
        ("test", "b", True),
        ("validation", "a", True),
        ("train", "a", False),
        ("train", "b", False),
    ],
)
def test_the_test_split_of_another_cohort_is_evidence_and_what_was_trained_on_is_none(
    split: str, division: str, independent: bool
) -> None:
    calibrated = {"split": "test", "split_sha256": "a"}
    assert is_independent(calibrated, {"split": split, "split_sha256": division}) is independent
