import numpy as np
import pytest
from scipy.stats import norm

from semivae_bundle.evaluation.latent_holes import aggregate_log_density, lowest_on_lines, smooth_cohort


def test_the_density_is_that_of_the_mixture_without_those_left_out() -> None:
    mean, log_var = np.array([[0.0], [1.0], [3.0]]), np.log([[1.0], [4.0], [0.25]])
    found = aggregate_log_density(np.array([[0.0], [2.0]]), mean, log_var, np.array([[2], [2]]))
    wanted = [np.log(norm.pdf(x, 0, 1) + norm.pdf(x, 1, 2)) for x in (0.0, 2.0)]
    assert np.diff(found) == pytest.approx(np.diff(wanted))


def test_between_two_clusters_is_a_hole_and_within_one_is_none() -> None:
    rng = np.random.default_rng(0)
    log_var = np.full((60, 2), -2.0)
    near = rng.normal(size=(60, 2))
    apart = near + np.repeat([[-8.0], [8.0]], 30, axis=0)
    depth = lowest_on_lines(apart, log_var, pairs=200, seed=0)
    assert (depth < -20).mean() == pytest.approx(0.5, abs=0.1)
    assert np.median(lowest_on_lines(near, log_var, pairs=200, seed=0)) > -1


def test_no_line_is_higher_than_its_lower_end() -> None:
    rng = np.random.default_rng(1)
    depth = lowest_on_lines(rng.normal(size=(20, 3)), np.zeros((20, 3)), pairs=50, seed=0)
    assert depth.shape == (50,)
    assert depth.max() <= 0


def test_a_smooth_cohort_keeps_centre_and_covariance() -> None:
    rng = np.random.default_rng(2)
    mean = 3 + rng.normal(size=(4000, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    found = smooth_cohort(mean, seed=0)
    assert found.mean(axis=0) == pytest.approx(mean.mean(axis=0), abs=0.1)
    assert np.cov(found.T) == pytest.approx(np.cov(mean.T), abs=0.1)
