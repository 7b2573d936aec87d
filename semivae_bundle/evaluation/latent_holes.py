"""Holes in the code: straight lines between subjects along which nobody is near."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from semivae_bundle.evaluation.bootstrap import FloatArray

STEPS = 11
PAIRS = 200


def aggregate_log_density(
    points: FloatArray, mean: FloatArray, log_var: FloatArray, left_out: NDArray[np.intp]
) -> FloatArray:
    """Logarithm of the aggregate posterior, the mixture of N posteriors, without some of them: (M,), up to a constant.

    `points` (M, d); `mean`, `log_var` (N, d); `left_out` (M, r): posteriors that the density at a point goes without.
    """
    precision = np.exp(-log_var)
    square = points**2 @ precision.T - 2 * points @ (mean * precision).T + (mean**2 * precision).sum(axis=1)
    log_density = -0.5 * (square + log_var.sum(axis=1))
    np.put_along_axis(log_density, left_out, -np.inf, axis=1)
    return np.asarray(logsumexp(log_density, axis=1))


def lowest_on_lines(mean: FloatArray, log_var: FloatArray, *, pairs: int, seed: int) -> FloatArray:
    """Per random pair of subjects, the lowest log density on the straight line between their means, less that at its
    sparser end: (pairs,), in nats, at most 0. `mean`, `log_var` (N, d), N >= 3.

    The two posteriors at the ends are left out: at its own mean every posterior is near, and each line would have a
    hole between. What is compared is how near the *other* subjects are to the middle and to the ends.
    """
    rng = np.random.default_rng(seed)
    first = rng.integers(len(mean), size=pairs)
    second = (first + rng.integers(1, len(mean), size=pairs)) % len(mean)
    t = np.linspace(0, 1, STEPS)[None, :, None]
    points = (1 - t) * mean[first][:, None] + t * mean[second][:, None]
    ends = np.stack([first, second], axis=1).repeat(STEPS, axis=0)
    found = aggregate_log_density(points.reshape(-1, mean.shape[1]), mean, log_var, ends).reshape(pairs, STEPS)
    return np.asarray(found.min(axis=1) - np.minimum(found[:, 0], found[:, -1]))


def smooth_cohort(mean: FloatArray, seed: int) -> FloatArray:
    """Means (N, d) of a cohort of one Gaussian with the covariance of `mean`: no hole but those of chance."""
    rng = np.random.default_rng(seed)
    centred = mean - mean.mean(axis=0)
    # Random combinations of the subjects have the covariance of the subjects.
    return mean.mean(axis=0) + rng.normal(size=(len(mean), len(mean))) @ centred / np.sqrt(len(mean))
