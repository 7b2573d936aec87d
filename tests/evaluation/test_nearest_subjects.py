import numpy as np
import pytest

from semivae_bundle.evaluation.nearest_subjects import distances_to_reference, nearest_distances


def test_the_nearest_of_the_known_counts() -> None:
    known = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert nearest_distances(np.array([[3.0, 4.0], [10.0, 1.0]]), known) == pytest.approx([5, 1])


def test_codes_that_follow_the_prior_are_as_near_as_its_draws() -> None:
    found = distances_to_reference(np.random.default_rng(0).normal(size=(300, 8)), seed=1)
    assert found["prior_over_new"] == pytest.approx(1, abs=0.1)


def test_codes_in_two_far_clumps_leave_the_prior_beside_them() -> None:
    clumps = 0.1 * np.random.default_rng(0).normal(size=(300, 8)) + np.repeat([[-3.0], [3.0]], 150, axis=0)
    assert distances_to_reference(clumps, seed=1)["prior_over_new"] > 10


def test_codes_in_one_point_have_no_ratio() -> None:
    assert np.isnan(distances_to_reference(np.zeros((20, 2)), seed=0)["prior_over_new"])
