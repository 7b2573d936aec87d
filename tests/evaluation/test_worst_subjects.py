import numpy as np
import pandas as pd
import pytest

from semivae_bundle.evaluation.worst_subjects import worst_subjects

REPORT = {
    "features": {
        "vol_total": {"mae": {"value": 500.0}, "mae_table": {"value": 0.1}},
        "loc_x_total": {"mae": {"value": 2.0}, "mae_table": {"value": 0.01}},
    }
}


@pytest.fixture
def predictions() -> pd.DataFrame:
    """Subject a is off by ten mm, b by a tenth of a unit of ln volume, c is exact, d has no mask."""
    measured, nan = np.expm1([9.0, 9.0, 9.0]), float("nan")
    columns = {
        "measured_vol_total_mm3": [*measured, nan],
        "predicted_vol_total_mm3": [*np.expm1([9.0, 9.1, 9.0]), 100.0],
        "measured_loc_x_total_mm": [0.0, 0.0, 0.0, nan],
        "predicted_loc_x_total_mm": [10.0, 0.0, 0.0, 50.0],
        "dice_total": [0.5, 0.6, 0.7, nan],
    }
    return pd.DataFrame(columns, index=pd.Index(list("abcd"), name="subject"))


def test_the_worst_come_first_with_the_feature_that_is_farthest_off(predictions: pd.DataFrame) -> None:
    first, second = worst_subjects(REPORT, predictions, count=2, scores=("dice_total",))
    assert (first.subject, first.feature, first.unit, first.measured, first.predicted) == (
        "a", "loc_x_total", "mm", 0.0, 10.0,
    )  # fmt: skip
    assert (first.times_usual, first.feature_times_usual, first.scores) == (2.5, 5.0, {"dice_total": 0.5})
    assert (second.subject, second.feature) == ("b", "vol_total")


def test_volumes_err_in_logarithms(predictions: pd.DataFrame) -> None:
    found = worst_subjects(REPORT, predictions, count=2, scores=())[1]
    assert found.feature_times_usual == pytest.approx(1.0)


def test_unlabelled_subjects_cannot_be_judged(predictions: pd.DataFrame) -> None:
    assert [one.subject for one in worst_subjects(REPORT, predictions, count=10, scores=())] == ["a", "b", "c"]
    assert worst_subjects(REPORT, predictions.loc[["d"]], count=10, scores=()) == []


def test_a_table_without_the_features_or_the_scores_is_survived(predictions: pd.DataFrame) -> None:
    assert worst_subjects(REPORT, predictions[["dice_total"]], count=10, scores=()) == []
    found = worst_subjects(REPORT, predictions, count=1, scores=("ssim",))
    assert np.isnan(found[0].scores["ssim"])


def test_a_feature_without_any_error_ranks_nobody(predictions: pd.DataFrame) -> None:
    exact = {"features": {"vol_total": {"mae": {"value": 0.0}, "mae_table": {"value": 0.0}}}}
    assert worst_subjects(exact, predictions, count=10, scores=()) == []
