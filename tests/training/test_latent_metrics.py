"""Figures of the latent space against independent implementations."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from semivae_bundle.training.latent_metrics import active_units, max_correlation, r2_per_feature

RNG = np.random.default_rng(0)


def test_r2_is_that_of_scikit_learn_over_the_present_subjects() -> None:
    target = RNG.normal(size=(20, 3)) + np.array([0.0, 100.0, -5.0])
    prediction = target + RNG.normal(size=(20, 3)) * [0.1, 1.0, 3.0]
    present = RNG.random((20, 3)) < 0.7
    spoilt = np.where(present, target, -10.0)
    expected = [r2_score(target[present[:, f], f], prediction[present[:, f], f]) for f in range(3)]
    np.testing.assert_allclose(r2_per_feature(prediction, spoilt, present), expected, rtol=1e-9)


def test_a_perfect_prediction_has_one_and_the_mean_has_zero() -> None:
    target = RNG.normal(size=(10, 1))
    present = np.ones((10, 1))
    assert r2_per_feature(target, target, present).tolist() == [1.0]
    assert r2_per_feature(np.full((10, 1), target.mean()), target, present)[0] == pytest.approx(0, abs=1e-12)


def test_a_constant_per_feature_scores_nothing_though_pooling_would_reward_it() -> None:
    target = RNG.normal(size=(50, 2)) + np.array([0.0, 10.0])
    constant = np.broadcast_to(target.mean(axis=0), target.shape)
    assert r2_score(target.ravel(), constant.ravel()) > 0.9
    np.testing.assert_allclose(r2_per_feature(constant, target, np.ones((50, 2))), 0, atol=1e-12)


def test_a_feature_of_fewer_than_three_subjects_or_of_one_value_has_no_r2() -> None:
    target = np.array([[1.0, 4.0], [2.0, 4.0], [3.0, 4.0]])
    present = np.array([[1, 1], [1, 1], [0, 1]])
    assert np.isnan(r2_per_feature(target, target, present)).all()


def test_a_unit_is_active_when_its_mean_varies_by_more_than_a_hundredth() -> None:
    means = RNG.normal(size=(2000, 4)) * np.sqrt([1.0, 0.02, 0.005, 0.0]) + 3.0
    assert active_units(means).tolist() == [True, True, False, False]


def test_the_largest_correlation_is_found_between_partitions_only() -> None:
    means = RNG.normal(size=(200, 5))
    means[:, 1] = means[:, 0]
    means[:, 4] = means[:, 2] - 0.5 * RNG.normal(size=200)
    found = max_correlation(means, {"a": 2, "b": 1, "c": 2})
    r = np.abs(np.corrcoef(means.T))
    assert found[("a", "b")] == pytest.approx(r[:2, 2].max())
    assert found[("a", "c")] == pytest.approx(r[:2, 3:].max())
    assert found[("b", "c")] == pytest.approx(r[2, 4])


def test_a_sleeping_dimension_correlates_with_nothing() -> None:
    means = RNG.normal(size=(50, 2))
    means[:, 1] = 1e-4 * means[:, 0]
    assert max_correlation(means, {"a": 1, "b": 1}) == {("a", "b"): 0.0}
    means[:, 1] = 7.0
    assert max_correlation(means, {"a": 1, "b": 1}) == {("a", "b"): 0.0}
