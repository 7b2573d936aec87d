import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from semivae_bundle.evaluation.sap import separated_predictability, squared_correlations


@pytest.fixture
def factors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(200, 3))


def test_each_entry_is_the_r2_of_a_regression_line(factors: np.ndarray) -> None:
    codes = factors @ np.random.default_rng(1).normal(size=(3, 4)) + 1
    found = squared_correlations(codes, factors)
    for j, k in ((0, 0), (3, 1), (2, 2)):
        line = LinearRegression().fit(codes[:, [j]], factors[:, k])
        assert found[j, k] == pytest.approx(line.score(codes[:, [j]], factors[:, k]), abs=1e-6)


def test_a_code_per_factor_is_near_1(factors: np.ndarray) -> None:
    assert separated_predictability(5 - 3 * factors, factors) > 0.95


def test_constant_codes_and_a_duplicate_of_each_factor_are_at_0(factors: np.ndarray) -> None:
    assert separated_predictability(np.full((200, 2), 0.1), factors) == 0
    assert separated_predictability(np.column_stack([factors, factors]), factors) == pytest.approx(0, abs=1e-12)


def test_a_factor_counts_over_the_subjects_that_have_it(factors: np.ndarray) -> None:
    codes = factors.copy()
    codes[150:] = 7.0
    factors[150:] = np.nan
    assert separated_predictability(codes, factors) > 0.95
