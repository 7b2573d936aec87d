"""Verdicts of made-up numbers; each test changes what it is about."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.overall_verdict import other_checks, overall_sentence
from semivae_bundle.evaluation.report import Intervals, metrics_report
from semivae_bundle.evaluation.results import Results
from semivae_bundle.evaluation.verdict import Verdict
from semivae_bundle.evaluation.verdict_targets import VerdictTargets
from semivae_bundle.evaluation.verdicts import all_verdicts
from semivae_bundle.features.normalizer import Normalizer

INTERVALS = Intervals(level=0.95, resamples=50, permutations=5, seed=0)
LATENT = LatentOptions(neighbours=5, folds=3, trees=5, draws=20, false_discovery_rate=0.05, seed=0)


def leaky(excess: float) -> dict[str, Any]:
    common = {"feature": "vol_total", "model": "ridge", "r2_of_its_features": 0.0}
    leak, own = {"partition": "loc", "r2": excess, "excess": excess}, {"partition": "vol", "r2": 0.9, "excess": None}
    return {"table": [common | leak, common | own]}


@pytest.fixture
def report(results: Results, normalizer: Normalizer, partition: dict[str, int]) -> dict[str, Any]:
    return metrics_report(results, normalizer, partition, INTERVALS, {"split": "test"}, LATENT, None)


def verdict(
    check: str, report: dict[str, Any], targets: VerdictTargets, history: pd.DataFrame | None = None
) -> Verdict:
    return {one.check: one for one in all_verdicts(report, targets, history)}[check]


def r2(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half, "subjects": 30}


@pytest.mark.parametrize(("value", "outcome"), [(0.9, "pass"), (0.82, "open"), (0.7, "fail")])
def test_volume_is_judged_by_the_interval_of_its_mean_r2(
    value: float, outcome: str, report: dict[str, Any], targets: VerdictTargets
) -> None:
    report["partitions"]["vol"]["mean_r2"] = r2(value, 0.05)
    assert verdict("volume_r2", report, targets).outcome == outcome


@pytest.mark.parametrize("patients", [1, 9])
def test_a_cohort_of_few_patients_leaves_every_bootstrapped_check_open(
    patients: int, results: Results, normalizer: Normalizer, partition: dict[str, int], targets: VerdictTargets
) -> None:
    few = replace(results, patients=tuple(f"p{i % patients}" for i in range(len(results.subjects))))
    report = metrics_report(few, normalizer, partition, INTERVALS, {"split": "test"}, LATENT, None)
    found = {one.check: one for one in all_verdicts(report, targets, None)}
    for check in ("volume_r2", "location_r2", "shape_r2", "dice", "psnr_gain_brain_db", "residual_active_fraction"):
        assert (found[check].outcome, found[check].found.low) == ("open", None)
    assert "cannot tell" in overall_sentence(list(found.values()))
    assert " without an interval" in overall_sentence(list(found.values()))


def test_a_partition_without_features_has_no_verdict(report: dict[str, Any], targets: VerdictTargets) -> None:
    del report["partitions"]["shape"]
    found = verdict("shape_r2", report, targets)
    assert found.outcome == "missing"
    assert "no feature of this partition" in found.found.note


def test_a_residual_that_is_still_for_every_scan_has_collapsed(report: dict[str, Any], targets: VerdictTargets) -> None:
    found = verdict("residual_active_fraction", report, targets)
    assert (found.outcome, found.found.value, found.found.note) == ("fail", 0.0, "0 of 8 dimensions")
    report["latent_intervals"]["active_fraction"]["residual"] = r2(1.0, 0.0)
    report["partitions"]["residual"]["active_fraction"] = 1.0
    assert verdict("residual_active_fraction", report, targets).outcome == "pass"


def test_numbers_from_before_there_were_intervals_stay_open(report: dict[str, Any], targets: VerdictTargets) -> None:
    del report["latent_intervals"]
    del report["independence"]["correlations"]
    assert verdict("residual_active_fraction", report, targets).outcome == "open"
    assert verdict("distance_correlation", report, targets).outcome == "open"
    assert "needs a new evaluation" in verdict("largest_correlation", report, targets).found.note


def test_twenty_patients_cannot_tell_a_correlation_of_chance(report: dict[str, Any], targets: VerdictTargets) -> None:
    assert verdict("largest_correlation", report, targets).outcome == "open"
    report["independence"]["max_abs_correlation"] = 0.99
    assert verdict("largest_correlation", report, targets).outcome == "fail"
    report["independence"]["max_abs_correlation"], report["subjects"]["patients"] = 0.1, 1000
    assert verdict("largest_correlation", report, targets).outcome == "pass"


@pytest.mark.parametrize(("square", "outcome"), [(0.01, "pass"), (0.12, "open"), (0.5, "fail")])
def test_distance_correlation_is_judged_by_its_jackknife(
    square: float, outcome: str, report: dict[str, Any], targets: VerdictTargets
) -> None:
    for one in report["latent_intervals"]["distance_correlation"].values():
        one |= {"squared": square, "standard_error": 0.02}
    assert verdict("distance_correlation", report, targets).outcome == outcome


def test_the_drawing_is_judged_by_the_modality_that_gains_least(
    report: dict[str, Any], targets: VerdictTargets
) -> None:
    report["image"]["t2f"]["psnr_gain_brain_db"] = r2(0.1, 0.05)
    found = verdict("psnr_gain_brain_db", report, targets)
    assert (found.outcome, found.found.value, found.found.note) == ("fail", 0.1, "t2f")
    assert verdict("psnr_gain_tumour_db", report, targets).outcome == "pass"
    assert verdict("dice", report, targets).outcome == "pass"


def coverage(value: float, scans: int, independent: bool = True) -> dict[str, Any]:
    features = {"vol_total": {"coverage": value, "scans": scans}, "loc_x_total": {"coverage": None, "scans": 0}}
    return {"level": 0.9, "interval_level": 0.95, "independent": independent, "features": features}


@pytest.mark.parametrize(("value", "scans", "outcome"), [(0.9, 1000, "pass"), (0.9, 50, "open"), (0.5, 50, "fail")])
def test_coverage_is_held_against_the_level_less_what_is_allowed(
    value: float, scans: int, outcome: str, report: dict[str, Any], targets: VerdictTargets
) -> None:
    report["coverage"] = coverage(value, scans)
    found = verdict("coverage_shortfall", report, targets)
    assert (found.outcome, found.target) == (outcome, pytest.approx(0.85))


def test_coverage_of_the_scans_that_were_calibrated_on_proves_nothing(
    report: dict[str, Any], targets: VerdictTargets
) -> None:
    assert verdict("coverage_shortfall", report, targets).outcome == "missing"
    report["coverage"] = coverage(1.0, 1000, independent=False)
    found = verdict("coverage_shortfall", report, targets)
    assert found.outcome == "open"
    assert "no evidence" in found.found.note


def test_a_leak_fails_and_what_a_partition_claims_is_none(report: dict[str, Any], targets: VerdictTargets) -> None:
    report["disentanglement"]["measured_features"] = {"patients": 300}
    for excess, outcome in {0.6: "fail", 0.1: "open", 0.01: "pass"}.items():
        report["leakage"] = leaky(excess)
        assert verdict("leakage_excess", report, targets).outcome == outcome


def test_the_bounds_of_a_leak_are_those_of_the_patients_who_have_the_feature(
    report: dict[str, Any], targets: VerdictTargets
) -> None:
    report["disentanglement"]["measured_features"]["patients"] = 1000
    widths = []
    for patients in (1000, 20):
        report["leakage"] = leaky(0.3)
        for row in report["leakage"]["table"]:
            row["patients"] = patients
        found = verdict("leakage_excess", report, targets).found
        widths.append(found.high - found.low)  # type: ignore[operator]
    assert widths[1] > 5 * widths[0]


def test_where_leakage_was_not_measured_the_reason_is_kept(report: dict[str, Any], targets: VerdictTargets) -> None:
    report["leakage"] = {"missing": "no factor to judge by"}
    assert verdict("leakage_excess", report, targets).found.note == "no factor to judge by"


def test_a_validation_loss_that_rises_fails(report: dict[str, Any], targets: VerdictTargets) -> None:
    history = pd.DataFrame({"val_epoch/loss": [10.0, 4.0, 7.0]}, index=[1, 2, 3])
    assert verdict("validation_loss_given_back", report, targets, history).outcome == "fail"
    assert verdict("validation_loss_given_back", report, targets).outcome == "missing"


def test_the_answer_names_what_can_be_modelled_and_what_cannot(report: dict[str, Any], targets: VerdictTargets) -> None:
    for name, value in {"vol": 0.9, "loc": 0.99, "shape": 0.14}.items():
        report["partitions"][name]["mean_r2"] = r2(value, 0.01)
    said = overall_sentence(all_verdicts(report, targets, None))
    assert said == (
        "Volume and location can be modelled; shape cannot yet (mean R² 0.14, interval 0.13 to 0.15, aimed at 0.40)."
    )


def test_the_answer_says_what_is_not_known(report: dict[str, Any], targets: VerdictTargets) -> None:
    report["partitions"]["vol"]["mean_r2"] = r2(0.8, 0.1)
    report["partitions"]["loc"]["mean_r2"] = None
    report["partitions"]["shape"]["mean_r2"] = None
    said = overall_sentence(all_verdicts(report, targets, None))
    assert said.startswith("Volume may be: these subjects cannot tell (mean R² 0.80, interval 0.70 to 0.90")
    assert said.endswith("of location and shape nothing is known.")


def test_the_other_checks_are_listed_by_how_they_came_out(report: dict[str, Any], targets: VerdictTargets) -> None:
    said = other_checks(all_verdicts(report, targets, None))
    assert "failed: collapse" in said
    assert "not made: coverage" in said
    assert other_checks([]) == ""
