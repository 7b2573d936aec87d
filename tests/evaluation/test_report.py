import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.report import SCHEMA, Intervals, metrics_report
from semivae_bundle.evaluation.results import Results
from semivae_bundle.evaluation.summary_table import aligned, summary_table
from semivae_bundle.features.normalizer import Normalizer

INTERVALS = Intervals(level=0.95, resamples=200, permutations=20, seed=0)
LATENT = LatentOptions(neighbours=5, folds=3, trees=5, draws=20, false_discovery_rate=0.05, seed=0)
PROVENANCE = {"split": "test", "checkpoint": {"file": "checkpoints/model.pt"}}


@pytest.fixture
def report(results: Results, normalizer: Normalizer, partition: dict[str, int]) -> dict[str, Any]:
    return metrics_report(results, normalizer, partition, INTERVALS, PROVENANCE, LATENT, None)


def test_metrics_round_trip_through_json(report: dict[str, Any], tmp_path: Path) -> None:
    write_json_atomically(tmp_path / "metrics.json", report)
    assert json.loads((tmp_path / "metrics.json").read_text()) == report
    assert report["schema"] == SCHEMA


def test_it_counts_subjects_labels_and_patients(report: dict[str, Any]) -> None:
    assert report["subjects"] == {"evaluated": 40, "labelled": 30, "patients": 20}


def test_r2_is_that_of_noise_a_fifth_of_the_spread(report: dict[str, Any]) -> None:
    found = report["features"]["vol_total"]["r2"]
    assert found["value"] == pytest.approx(0.96, abs=0.03)
    assert found["low"] < found["value"] < found["high"]
    assert found["subjects"] == 30


def test_errors_are_in_table_and_physical_units(
    report: dict[str, Any], results: Results, normalizer: Normalizer
) -> None:
    labelled = results.labelled
    y, y_hat = normalizer.inverse(results.target)[labelled], normalizer.inverse(results.predicted)[labelled]
    volume, place = report["features"]["vol_total"], report["features"]["loc_x_total"]
    assert (volume["mae"]["unit"], volume["mae_table"]["unit"]) == ("mm3", "ln(mm³ + 1)")
    assert volume["mae_table"]["value"] == pytest.approx(np.abs(y - y_hat)[:, 0].mean())
    assert volume["mae"]["value"] == pytest.approx(np.abs(np.exp(y) - np.exp(y_hat))[:, 0].mean())
    assert place["mae"]["unit"] == "mm"
    assert place["mae"]["value"] == pytest.approx(240 * np.abs(y - y_hat)[:, 1].mean())


def test_activity_and_nats_are_counted_from_the_prior_and_correlations_from_the_means(
    results: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    own = results.own_mean.copy()
    own[:, 0] = 0.0
    learned = replace(results, own_mean=own, own_log_var=results.own_log_var - 1)
    by_prior, plain = (
        metrics_report(one, normalizer, partition, INTERVALS, PROVENANCE, LATENT, None) for one in (learned, results)
    )
    first = next(iter(partition))
    assert by_prior["partitions"][first]["active_units"] == plain["partitions"][first]["active_units"] - 1
    assert by_prior["latent_intervals"]["active_fraction"][first]["value"] < 1
    assert by_prior["partitions"][first]["kl_nats"] != plain["partitions"][first]["kl_nats"]
    assert by_prior["independence"] == plain["independence"]


def test_a_residualised_feature_says_so(report: dict[str, Any]) -> None:
    assert report["features"]["surface_total"]["residualised_on"] == "vol_total"
    assert report["features"]["vol_total"]["residualised_on"] is None


def test_mean_r2_averages_partitions(report: dict[str, Any]) -> None:
    parts = [report["partitions"][name]["mean_r2"]["value"] for name in ("vol", "loc", "shape")]
    assert report["mean_r2"]["value"] == pytest.approx(np.mean(parts))
    assert report["partitions"]["residual"]["mean_r2"] is None


def test_dead_dimensions_are_not_active_and_carry_no_nats(report: dict[str, Any]) -> None:
    residual, volume = report["partitions"]["residual"], report["partitions"]["vol"]
    assert (residual["active_units"], residual["active_fraction"], residual["kl_nats"]) == (0, 0.0, 0.0)
    assert (volume["active_units"], volume["active_fraction"]) == (4, 1.0)
    assert volume["kl_nats"] > 1


def test_independent_partitions_stay_near_chance(report: dict[str, Any]) -> None:
    found = report["independence"]["pairs"]["vol-loc"]
    assert 0 < found["max_abs_correlation"] < 1.3 * found["chance_level"]
    assert 0 <= found["distance_correlation"] < 0.6  # of 20 patients
    dead = report["independence"]["pairs"]["vol-residual"]
    assert (dead["max_abs_correlation"], dead["distance_correlation"], dead["p_value"]) == (0.0, 0.0, 1.0)


def test_a_map_that_doubles_every_volume_has_a_ln_ratio_of_ln_2(report: dict[str, Any]) -> None:
    found = report["tumour_map"]["volume"]["total"]
    assert found["mean_ln_ratio"]["value"] == pytest.approx(np.log(2), abs=1e-3)
    assert found["pearson_ln"]["value"] == pytest.approx(1, abs=1e-5)


def test_dice_counts_labelled_subjects_only(report: dict[str, Any]) -> None:
    assert report["tumour_map"]["dice"]["core"]["subjects"] == 30
    assert report["tumour_map"]["segmentation"]["dice"]["core"]["value"] == pytest.approx(0.9)
    assert report["tumour_map"]["segmentation"]["volume"]["total"]["mean_ln_ratio"]["value"] == pytest.approx(0.0)
    assert report["image"]["t1c"]["psnr_brain_db"]["subjects"] == 40


def test_an_unlabelled_split_still_has_a_report(
    results: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    bare = replace(results, labelled=np.zeros(40, bool), present=np.zeros((40, 3), bool))
    bare.scores.loc[:, [name for name in bare.scores if "dice" in name or "mask_vol" in name]] = np.nan
    found = metrics_report(bare, normalizer, partition, INTERVALS, PROVENANCE, LATENT, None)
    assert found["features"]["vol_total"]["r2"]["value"] is None
    assert found["mean_r2"]["value"] is None
    assert found["tumour_map"]["dice"]["total"] == {"value": None, "low": None, "high": None, "subjects": 0}
    assert "vol_total" in summary_table(found)


def test_the_table_shows_the_main_figures(report: dict[str, Any]) -> None:
    text = summary_table(report)
    assert text.startswith("test: 40 subjects of 20 patients, 30 labelled")
    for word in ("vol_total", "surface_total*", "0 of 8", "vol-loc", "SSIM brain", "decoded map", "segmentation"):
        assert word in text


def test_columns_line_up() -> None:
    assert aligned([["a", "bb"], ["ccc", "d"]]).splitlines() == ["a    bb", "ccc   d"]


def test_the_code_is_judged_in_three_sections(
    results: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    single = replace(results, patients=results.subjects)
    found = metrics_report(single, normalizer, partition, INTERVALS, PROVENANCE, LATENT, None)
    assert set(found["disentanglement"]) == {"measured_features", "generating_factors"}
    assert found["disentanglement"]["measured_features"]["patients"] == 30
    assert found["independence"]["dimensions"]["pairs"] == 12 * 11 / 2
    assert {row["model"] for row in found["leakage"]["table"]} == {"ridge", "boosted"}


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_handful_of_subjects_has_a_report(
    results: Results, normalizer: Normalizer, partition: dict[str, int], count: int
) -> None:
    names = ("subjects", "patients", "labelled", "mean", "log_var", "own_mean", "own_log_var")
    names += ("predicted", "target", "present")
    few = replace(results, scores=results.scores.iloc[:count], **{n: getattr(results, n)[:count] for n in names})
    found = metrics_report(few, normalizer, partition, INTERVALS, PROVENANCE, LATENT, None)
    json.dumps(found, allow_nan=False)
    assert "missing" in found["leakage"]
    assert "missing" in found["independence"]["dimensions"]
