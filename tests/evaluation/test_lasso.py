import numpy as np
import pytest

from semivae_bundle.evaluation.lasso import fit_lasso


@pytest.fixture
def codes() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(200, 6))


def test_weights_are_those_of_standardised_codes_and_factors(codes: np.ndarray) -> None:
    factors = np.stack([2 - 10 * codes[:, 3], 3 * codes[:, 0] + 4 * codes[:, 1]], axis=1)
    found = fit_lasso(codes * [1, 7, 1, 1, 1, 1], factors, folds=5)
    expected = np.zeros((6, 2))
    expected[3, 0], expected[0, 1], expected[1, 1] = -1, 0.6, 0.8
    np.testing.assert_allclose(found.weights, expected, atol=0.08)
    assert found.r2.min() > 0.97


def test_what_cannot_be_learned_has_no_weight(codes: np.ndarray) -> None:
    noise = np.random.default_rng(9).normal(size=(200, 1))
    found = fit_lasso(codes, noise, folds=5)
    assert found.r2[0] <= 0
    assert not found.weights.any()


def test_inactive_codes_have_no_weight_though_they_tell_the_factor(codes: np.ndarray) -> None:
    small = codes * [0.01, 1, 1, 1, 1, 1]
    assert not fit_lasso(small, codes[:, :1], folds=5).weights[0].any()
    assert not fit_lasso(codes * 0.01, codes[:, :1], folds=5).weights.any()


def test_a_factor_counts_over_the_subjects_that_have_it(codes: np.ndarray) -> None:
    factor = codes[:, [2]].copy()
    factor[:150] = np.nan
    found = fit_lasso(codes, factor, folds=5)
    assert abs(found.weights[2, 0]) > 0.9
    assert found.r2[0] > 0.9
