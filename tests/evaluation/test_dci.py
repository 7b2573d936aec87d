import numpy as np
import pytest
from scipy.stats import entropy

from semivae_bundle.evaluation.dci import dci_completeness, dci_disentanglement


def test_a_code_per_factor_is_1_in_both() -> None:
    assert dci_disentanglement(np.diag([3.0, 1.0, 2.0])) == 1
    assert dci_completeness(np.diag([3.0, 1.0, 2.0])) == 1


def test_equal_importance_everywhere_is_0_in_both() -> None:
    assert dci_disentanglement(np.ones((4, 3))) == pytest.approx(0)
    assert dci_completeness(np.ones((4, 3))) == pytest.approx(0)


def test_duplicates_leave_codes_disentangled_and_factors_incomplete() -> None:
    twice = np.tile(np.eye(3), (2, 1))
    assert dci_disentanglement(twice) == 1
    assert dci_completeness(twice) == pytest.approx(1 - np.log(2) / np.log(6))


def test_one_code_of_all_factors_is_complete_and_not_disentangled() -> None:
    one = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert dci_disentanglement(one) == pytest.approx(0)
    assert dci_completeness(one) == 1


def test_codes_count_by_their_share_of_importance() -> None:
    importance = np.random.default_rng(0).random((5, 3))
    pure = 1 - entropy(importance, axis=1, base=3)
    expected = (pure * importance.sum(axis=1) / importance.sum()).sum()
    assert dci_disentanglement(importance) == pytest.approx(expected, abs=1e-12)
    assert dci_completeness(importance) == pytest.approx((1 - entropy(importance, axis=0, base=5)).mean(), abs=1e-12)


def test_without_importance_there_is_neither() -> None:
    assert np.isnan([dci_disentanglement(np.zeros((2, 3))), dci_completeness(np.zeros((2, 3)))]).all()
