import numpy as np
import pytest

from semivae_bundle.evaluation.bootstrap import mean_estimate, patient_resamples, percentile_interval, weighted_mean


def test_every_resample_draws_as_many_patients_as_there_are() -> None:
    counts = patient_resamples([f"p{i}" for i in range(7)], 50, seed=0)
    assert counts.shape == (50, 7)
    np.testing.assert_array_equal(counts.sum(axis=1), 7)


def test_visits_of_a_patient_are_drawn_together() -> None:
    counts = patient_resamples(["a", "b", "a", "c"], 100, seed=0)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 2])
    assert (counts[:, 0] != counts[:, 1]).any()


def test_the_same_seed_draws_the_same_resamples() -> None:
    patients = ["a", "b", "c"]
    np.testing.assert_array_equal(patient_resamples(patients, 20, 3), patient_resamples(patients, 20, 3))
    assert (patient_resamples(patients, 20, 3) != patient_resamples(patients, 20, 4)).any()


def test_interval_of_a_gaussian_mean_is_its_standard_error_times_1_96() -> None:
    values = np.random.default_rng(0).normal(size=400)
    counts = patient_resamples([str(i) for i in range(400)], 4000, seed=0)
    found = mean_estimate(values, counts, level=0.95)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    counts = patient_resamples([str(i) for i in range(50)], 500, seed=0)
    found = [mean_estimate(rng.normal(size=50), counts, level=0.95) for _ in range(300)]
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    assert 0.90 <= covered <= 0.98


def test_unknown_values_are_left_out_and_counted_out() -> None:
    values = np.append(np.nan, np.arange(1.0, 13.0))
    found = mean_estimate(values, patient_resamples([str(i) for i in range(13)], 200, 0), level=0.9)
    assert (found.value, found.subjects) == (6.5, 12)
    assert 1.0 <= found.low <= found.high <= 12.0


@pytest.mark.parametrize(("patients", "known"), [(9, False), (10, True)])
def test_an_interval_takes_ten_patients_however_many_scans_they_have(patients: int, known: bool) -> None:
    values, owners = np.arange(3.0 * patients), [f"p{i // 3}" for i in range(3 * patients)]
    found = mean_estimate(values, patient_resamples(owners, 200, 0), level=0.95)
    assert found.value == values.mean()
    assert np.isfinite([found.low, found.high]).all() == known


def test_patients_without_the_value_do_not_count_towards_the_ten() -> None:
    values = np.where(np.arange(40) < 3, 0.8, np.nan)
    found = mean_estimate(values, patient_resamples([str(i) for i in range(40)], 200, 0), level=0.95)
    assert found.value == pytest.approx(0.8)
    assert np.isnan([found.low, found.high]).all()


def test_a_mean_of_nothing_is_undefined() -> None:
    found = mean_estimate(np.full(3, np.nan), np.ones((10, 3)), level=0.95)
    assert found.subjects == 0
    assert np.isnan([found.value, found.low, found.high]).all()


def test_an_interval_needs_half_of_the_resamples_defined() -> None:
    assert np.isnan(percentile_interval(np.array([1.0, np.nan, np.nan]), 0.95)).all()
    assert percentile_interval(np.array([1.0, 1.0, np.nan]), 0.95) == (1.0, 1.0)


def test_weighted_mean_of_no_weight_is_undefined() -> None:
    found = weighted_mean(np.array([1.0, 3.0]), np.array([[1.0, 1.0], [0.0, 0.0], [3.0, 1.0]]))
    np.testing.assert_allclose(found, [2.0, np.nan, 1.5])


def test_no_patient_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one patient"):
        patient_resamples([], 10, 0)
