import numpy as np
import pytest

from semivae_bundle.evaluation.mig import mutual_information_gap, top_gap
from semivae_bundle.evaluation.mutual_information import information_coefficient, information_matrix
from semivae_bundle.evaluation.normal_scores import normal_scores


def gap_of(codes: np.ndarray, factors: np.ndarray) -> float:
    information = information_matrix(normal_scores(codes, seed=0), normal_scores(factors, seed=0), neighbours=5)
    return mutual_information_gap(information_coefficient(information))


@pytest.fixture
def factors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(300, 3))


def test_the_gap_is_the_lead_of_the_first_over_the_second() -> None:
    held = np.array([[0.9, 0.1], [0.2, 0.1], [0.5, 0.7]])
    np.testing.assert_allclose(top_gap(held), [0.4, 0.6])
    assert mutual_information_gap(held) == pytest.approx(0.5)


def test_a_single_code_leads_by_all_that_it_holds() -> None:
    assert mutual_information_gap(np.array([[0.3, 0.5]])) == pytest.approx(0.4)


def test_a_code_per_factor_is_near_1(factors: np.ndarray) -> None:
    codes = np.column_stack([np.exp(factors[:, ::-1]), np.random.default_rng(1).normal(size=(300, 4))])
    assert gap_of(codes, factors) > 0.8


def test_constant_codes_and_a_duplicate_of_each_factor_are_at_0(factors: np.ndarray) -> None:
    assert gap_of(np.ones((300, 4)), factors) == 0
    assert gap_of(np.column_stack([factors, -2 * factors]), factors) == pytest.approx(0, abs=1e-6)


def test_it_does_not_ask_whether_a_code_holds_a_second_factor() -> None:
    assert mutual_information_gap(np.array([[0.9, 0.9], [0.0, 0.0]])) == pytest.approx(0.9)
