import numpy as np
import pandas as pd
import pytest

from semivae_bundle.evaluation.paired_runs import PairedRuns, paired_runs
from semivae_bundle.evaluation.regression import r2_estimates
from semivae_bundle.evaluation.run_comparison import compare_runs

OF_FEATURES = {
    "vol_total": {"partition": "vol"},
    "vol_ed": {"partition": "vol"},
    "loc_x_total": {"partition": "loc"},
    "sphericity_total": {"partition": "shape"},
}
NAMES = list(OF_FEATURES)
OPTIONS = {"level": 0.95, "resamples": 300, "draws": 499, "seed": 0}


def a_table(noise: float, seed: int, n: int = 60) -> pd.DataFrame:
    """Predictions of n scans of n / 2 patients; the measured values are the same for every seed."""
    truth, rng = np.random.default_rng(0), np.random.default_rng(seed + 1)
    columns = {
        "vol_total_mm3": (np.exp(truth.normal(10, 1, n)), "log"),
        "vol_ed_mm3": (np.where(np.arange(n) % 5, np.exp(truth.normal(9, 1, n)), np.nan), "log"),
        "loc_x_total_mm": (truth.normal(0, 30, n), 30),
        "sphericity_total": (truth.uniform(0.4, 0.9, n), 0.15),
    }
    table: dict[str, object] = {"patient": [f"p{i // 2}" for i in range(n)]}
    for name, (measured, spread) in columns.items():
        error = noise * rng.normal(size=n)
        table[f"measured_{name}"] = measured
        known = np.nan_to_num(measured, nan=1000.0)
        table[f"predicted_{name}"] = known * np.exp(error) if spread == "log" else known + spread * error
    return pd.DataFrame(table, index=pd.Index([f"s{i}" for i in range(n)], name="subject"))


def paired(first: pd.DataFrame, second: pd.DataFrame) -> PairedRuns:
    return paired_runs(first, second, NAMES, NAMES, OF_FEATURES)


def test_equal_runs_differ_by_nothing_and_p_is_one() -> None:
    table = a_table(0.3, 0)
    for one in [row for rows in compare_runs(paired(table, table), **OPTIONS) for row in rows]:
        assert (one.r2.difference, one.r2.low, one.r2.high) == (0, 0, 0)
        assert (one.mae.difference, one.mae.low, one.mae.high) == (0, 0, 0)
        assert (one.p_value, one.q_value, one.better(0.05)) == (1, 1, "")


def test_a_run_with_noise_added_is_worse_beyond_its_interval() -> None:
    features, partitions = compare_runs(paired(a_table(0.2, 0), a_table(0.6, 1)), **OPTIONS)
    assert [one.name for one in partitions] == ["vol", "loc", "shape"]
    for one in [*features, *partitions]:
        assert one.r2.high < 0 < one.mae.low
        assert one.q_value <= 0.05
        assert one.better(0.05) == "first"


def test_the_r2_is_that_of_the_evaluation_and_the_error_is_physical() -> None:
    runs = paired(a_table(0.2, 0), a_table(0.6, 1))
    known = np.isfinite(runs.measured)
    filled = np.nan_to_num(runs.measured)
    expected = r2_estimates(np.nan_to_num(runs.first), filled, known, np.ones((2, 60)), 0.95)[0]
    features, partitions = compare_runs(runs, **OPTIONS)
    assert [one.r2.first for one in features] == pytest.approx([one.value for one in expected])
    assert partitions[0].r2.second == pytest.approx(np.mean([features[0].r2.second, features[1].r2.second]))
    table = a_table(0.2, 0)
    error = (table["predicted_vol_total_mm3"] - table["measured_vol_total_mm3"]).abs().mean()
    assert (features[0].mae.first, features[0].unit) == (pytest.approx(error), "mm3")


def test_a_scan_without_the_feature_does_not_count() -> None:
    first, second = a_table(0.2, 0), a_table(0.2, 0)
    second.loc["s0", "predicted_vol_ed_mm3"] *= 100
    ed = compare_runs(paired(first, second), **OPTIONS)[0][1]
    assert (ed.subjects, ed.p_value, ed.mae.difference) == (48, 1, 0)


def test_a_rare_feature_weighs_in_the_test_of_its_partition_as_it_does_in_the_mean_r2() -> None:
    first, second = a_table(0.3, 0, 300), a_table(0.25, 0, 300)
    rare = np.arange(300) % 10 == 1
    for table, error in ((first, 0.3), (second, 0.6)):
        measured = table["measured_vol_ed_mm3"].where(rare)
        wrong = error * np.random.default_rng(0).normal(size=300)
        table["measured_vol_ed_mm3"], table["predicted_vol_ed_mm3"] = measured, measured * np.exp(wrong)
    vol = compare_runs(paired(first, second), **OPTIONS)[1][0]
    assert vol.r2.difference < -0.05
    assert vol.better(0.05) == "first"


def test_runs_on_nine_patients_differ_without_an_interval() -> None:
    features, partitions = compare_runs(paired(a_table(0.2, 0, 18), a_table(0.6, 1, 18)), **OPTIONS)
    for one in [*features, *partitions]:
        assert one.r2.difference < 0 < one.mae.difference
        assert np.isnan([one.r2.low, one.r2.high, one.mae.low, one.mae.high]).all()


def test_equally_good_runs_are_told_apart_no_more_often_than_stated() -> None:
    options = {**OPTIONS, "resamples": 1, "draws": 199}
    p = [
        [
            one.p_value
            for one in compare_runs(paired(a_table(0.4, 2 * i, 40), a_table(0.4, 2 * i + 1, 40)), **options)[0]
        ]
        for i in range(100)
    ]
    # 400 tests, a fifth or so of them dependent on nothing but the same patients: three standard errors.
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.035)
