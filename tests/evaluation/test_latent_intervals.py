import numpy as np
import pytest
import torch

from semivae_bundle.evaluation.bootstrap import patient_resamples
from semivae_bundle.evaluation.latent_intervals import active_fractions, dependence_errors, latent_intervals
from semivae_bundle.losses.dependence import squared_distance_correlation

PARTITION = {"vol": 2, "residual": 4}


def names(count: int) -> list[str]:
    return [f"p{i}" for i in range(count)]


def test_dimensions_far_from_the_threshold_are_active_in_every_resample() -> None:
    means = np.random.default_rng(0).normal(size=(50, 6)) * [1, 1, 1, 1, 0, 0]
    found = active_fractions(means, PARTITION, patient_resamples(names(50), 100, 0), 0.95)["residual"]
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_dimensions_at_the_threshold_are_active_by_chance() -> None:
    means = 0.1 * np.random.default_rng(0).normal(size=(30, 6))
    found = active_fractions(means, PARTITION, patient_resamples(names(30), 200, 0), 0.95)["residual"]
    assert found.low < found.high


def test_a_constant_offset_of_the_means_changes_nothing() -> None:
    means, counts = 0.1 * np.random.default_rng(0).normal(size=(30, 6)), patient_resamples(names(30), 50, 0)
    near, far = (active_fractions(means + by, PARTITION, counts, 0.95) for by in (0.0, 1e4))
    assert near == far


def test_the_square_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(40, 6))
    means[:, 2] += means[:, 0]
    x, y = torch.from_numpy(means[:, :2]), torch.from_numpy(means[:, 2:])
    expected = float(squared_distance_correlation(x, y, epsilon=0.0))
    assert dependence_errors(means, PARTITION)["vol-residual"]["squared"] == pytest.approx(expected, abs=1e-5)


def test_the_jackknife_finds_the_scatter_over_cohorts() -> None:
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        means = rng.normal(size=(60, 6))
        means[:, 2] += means[:, 0]
        found.append(dependence_errors(means, PARTITION)["vol-residual"])
    scatter = np.std([one["squared"] for one in found])
    assert np.mean([one["standard_error"] for one in found]) == pytest.approx(scatter, rel=0.35)


@pytest.mark.parametrize("count", [1, 4])
def test_a_few_patients_have_values_but_no_intervals(count: int) -> None:
    means, counts = np.ones((count, 6)), patient_resamples(names(count), 10, 0)
    found = latent_intervals(means, means, names(count), PARTITION, counts, 0.95)
    assert found["distance_correlation"]["vol-residual"] == {"squared": None, "standard_error": None}
    assert found["active_fraction"]["vol"].value == 0.0
    assert np.isnan(found["active_fraction"]["vol"].low)


def test_nine_patients_have_no_interval_of_the_active_share_and_ten_have() -> None:
    means = np.random.default_rng(0).normal(size=(10, 6))
    few, enough = (
        active_fractions(means[:n], PARTITION, patient_resamples(names(n), 50, 0), 0.95)["vol"] for n in (9, 10)
    )
    assert (few.value, enough.low) == (1.0, 1.0)
    assert np.isnan(few.low)


def test_five_patients_are_left_out_one_by_one() -> None:
    found = dependence_errors(np.random.default_rng(0).normal(size=(5, 6)), PARTITION)["vol-residual"]
    assert found["standard_error"] > 0  # type: ignore[operator]
