import numpy as np
import pytest
from scipy.stats import permutation_test

from semivae_bundle.evaluation.sign_flip import patient_sums, sign_flip_p_values


def test_the_p_value_is_that_of_the_library() -> None:
    differences = np.random.default_rng(0).normal(0.4, 1, size=12)
    exact = permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    found = sign_flip_p_values(differences[:, None], draws=20_000, seed=0)
    assert found[0] == pytest.approx(exact.pvalue, abs=0.01)


def test_no_difference_has_a_p_value_of_one() -> None:
    assert sign_flip_p_values(np.zeros((8, 2)), draws=50, seed=0).tolist() == [1.0, 1.0]


def test_the_smallest_p_value_is_that_of_the_draws_and_of_the_patients() -> None:
    assert sign_flip_p_values(np.ones((40, 1)), draws=99, seed=0)[0] == 0.01
    # Of three patients a quarter of all signs agree: nothing can be told.
    assert sign_flip_p_values(np.ones((3, 1)), draws=9999, seed=0)[0] == pytest.approx(0.25, abs=0.02)


def test_false_positives_are_as_rare_as_stated_for_few_patients_and_heavy_tails() -> None:
    differences = np.random.default_rng(1).standard_t(2, size=(15, 2000))
    p = sign_flip_p_values(differences, draws=999, seed=2)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.02)


def test_visits_of_a_patient_flip_together() -> None:
    sums = patient_sums(np.array([[1.0], [2.0], [np.nan], [4.0]]), ["b", "a", "b", "a"])
    assert sums.tolist() == [[1.0], [6.0]]
