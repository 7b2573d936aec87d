import math

import numpy as np
import pytest
from scipy.stats import norm

from semivae_bundle.evaluation.verdict_bounds import (
    correlation_bounds,
    largest_bounds,
    least_estimate_bounds,
    least_share_bounds,
    r2_error,
)


def test_of_one_correlation_the_bounds_are_fishers() -> None:
    low, high = correlation_bounds(0.5, 1, 103, 0.95)  # type: ignore[misc]
    assert (low, high) == pytest.approx((math.tanh(math.atanh(0.5) - 0.196), math.tanh(math.atanh(0.5) + 0.196)), 1e-4)


def test_the_largest_of_many_correlations_has_a_lower_bound_that_allows_for_the_choice() -> None:
    one, many = correlation_bounds(0.27, 1, 300, 0.95), correlation_bounds(0.27, 4816, 300, 0.95)
    assert many[0] < one[0]  # type: ignore[index]
    assert many[1] == one[1]  # type: ignore[index]
    assert correlation_bounds(0.1, 4816, 300, 0.95)[0] == 0.0  # type: ignore[index]


def test_a_few_patients_bound_no_correlation() -> None:
    assert correlation_bounds(0.9, 10, 4, 0.95) is None


def test_bounds_of_the_largest_hold_the_true_largest_as_often_as_stated() -> None:
    rng, truth = np.random.default_rng(0), np.linspace(0, 0.2, 30)
    drawn = truth + 0.1 * rng.normal(size=(400, 30))
    bounds = [largest_bounds(list(row), [0.1] * 30, 0.95) for row in drawn]
    held = np.mean([low <= truth.max() <= high for low, high in bounds])  # type: ignore[misc]
    assert held > 0.95


def test_the_error_of_an_r2_follows_the_delta_method() -> None:
    assert r2_error(0.5, 100) == pytest.approx(math.sqrt(4 * 0.5 * 0.25 / 100))
    assert r2_error(-0.3, 100) == r2_error(0.01, 100) > 0
    assert r2_error(1.0, 100) == 0.0


def test_bounds_of_the_least_share_are_clopper_and_pearsons() -> None:
    low, high = least_share_bounds([(9, 10)], 0.95)  # type: ignore[misc]
    assert (low, high) == pytest.approx((0.555, 0.9975), abs=1e-3)
    both = least_share_bounds([(9, 10), (10, 10)], 0.95)
    assert both[0] == low  # type: ignore[index]
    assert both[1] > high  # type: ignore[index]


def test_the_upper_bound_of_the_least_of_two_estimates_is_widened() -> None:
    assert least_estimate_bounds([(1.0, 0.8, 1.2)], 0.95) == pytest.approx((0.8, 1.2))
    low, high = least_estimate_bounds([(1.0, 0.8, 1.2), (2.0, 1.8, 2.2)], 0.95)  # type: ignore[misc]
    assert (low, high) == pytest.approx((0.8, 1 + 0.2 * norm.ppf(1 - 0.0125) / norm.ppf(0.975)))


def test_of_nothing_there_are_no_bounds() -> None:
    assert largest_bounds([], [], 0.95) is least_share_bounds([], 0.95) is least_estimate_bounds([], 0.95) is None
