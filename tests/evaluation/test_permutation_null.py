import numpy as np
import pytest
import torch

from semivae_bundle.evaluation.mutual_information import ksg_information
from semivae_bundle.evaluation.normal_scores import normal_scores
from semivae_bundle.evaluation.permutation_null import null_distance_correlation, null_information, p_values
from semivae_bundle.losses.dependence import squared_distance_correlation


def test_p_values_count_the_draws_that_reach_and_never_are_0() -> None:
    null = np.array([1.0, 2.0, 2.0, 3.0])
    np.testing.assert_allclose(p_values(np.array([0.5, 2.0, 3.0, 9.0]), null), [1, 4 / 5, 2 / 5, 1 / 5])


def test_the_null_of_information_is_that_of_independent_pairs() -> None:
    null = null_information(60, neighbours=3, draws=400, seed=0)
    rng = np.random.default_rng(1)
    fresh = [ksg_information(*normal_scores(rng.exponential(size=(60, 2)), seed=0).T, neighbours=3) for _ in range(400)]
    for quantile in (0.8, 0.95):
        assert np.quantile(null, quantile) == pytest.approx(np.quantile(fresh, quantile), abs=0.04)


def test_the_null_of_distance_correlation_is_that_of_independent_pairs() -> None:
    null = null_distance_correlation(40, draws=400, seed=0)
    rng = np.random.default_rng(1)
    pairs = (torch.from_numpy(normal_scores(rng.normal(size=(40, 2)), seed=0)) for _ in range(400))
    fresh = [float(squared_distance_correlation(pair[:, :1], pair[:, 1:], epsilon=0)) for pair in pairs]
    assert abs(null.mean()) < 0.01
    assert np.quantile(null, 0.95) == pytest.approx(np.quantile(fresh, 0.95), abs=0.03)


def test_a_null_is_ascending_and_repeatable() -> None:
    first = null_information(30, neighbours=3, draws=20, seed=5)
    null_information.cache_clear()
    np.testing.assert_array_equal(first, null_information(30, neighbours=3, draws=20, seed=5))
    assert (np.diff(first) >= 0).all()
