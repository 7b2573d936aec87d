import numpy as np
import pytest
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_regression

from semivae_bundle.evaluation.mutual_information import information_coefficient, information_matrix, ksg_information


def correlated(n: int, r: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    return x, r * x + np.sqrt(1 - r**2) * noise


@pytest.mark.parametrize("neighbours", [1, 3, 5, 10])
def test_it_equals_scikit_learn(neighbours: int) -> None:
    x, y = correlated(300, 0.7)
    x, y = x / x.std(), np.sin(y) / np.sin(y).std()
    expected = mutual_info_regression(x[:, None], y, n_neighbors=neighbours, random_state=0)[0]
    assert ksg_information(x, y, neighbours=neighbours) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("r", [0.3, 0.6, 0.9])
def test_normal_variables_have_half_the_logarithm_of_what_correlation_leaves(r: float) -> None:
    found = np.mean([ksg_information(*correlated(1000, r, seed), neighbours=5) for seed in range(30)])
    assert found == pytest.approx(-np.log(1 - r**2) / 2, abs=0.03)


def test_independent_variables_scatter_by_a_twentieth_of_a_nat_about_0() -> None:
    found = [ksg_information(*correlated(300, 0.0, seed), neighbours=5) for seed in range(60)]
    assert np.mean(found) < 0.04
    assert np.quantile(found, 0.95) < 0.12


def test_a_copy_reaches_the_ceiling_of_the_estimator() -> None:
    x, _ = correlated(300, 0.0)
    assert ksg_information(x, x, neighbours=5) == pytest.approx(digamma(300) - digamma(5))


def test_dependence_without_correlation_is_seen() -> None:
    x, noise = correlated(300, 0.0)
    assert ksg_information(x, x**2 + 0.1 * noise, neighbours=5) > 0.8


def test_a_constant_tells_nothing_and_too_few_subjects_have_no_estimate() -> None:
    x, _ = correlated(20, 0.0)
    assert ksg_information(x, np.ones(20), neighbours=5) == 0
    assert np.isnan(ksg_information(x[:5], x[:5], neighbours=5))


def test_the_matrix_counts_the_subjects_that_have_the_factor() -> None:
    x, y = correlated(100, 0.8)
    factors = np.stack([y, np.where(np.arange(100) < 60, y, np.nan)], axis=1)
    found = information_matrix(x[:, None], factors, neighbours=3)
    expected = [ksg_information(x[:m], y[:m], neighbours=3) for m in (100, 60)]
    np.testing.assert_allclose(found, [expected])


def test_the_coefficient_of_normal_variables_is_r2_and_that_of_infinity_1() -> None:
    np.testing.assert_allclose(information_coefficient(np.array([0, -np.log(1 - 0.49) / 2, np.inf])), [0, 0.49, 1])
