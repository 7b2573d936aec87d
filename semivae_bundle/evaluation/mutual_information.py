"""Mutual information of two continuous variables, from the distances to nearest neighbours."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree
from scipy.special import digamma

from semivae_bundle.evaluation.bootstrap import FloatArray


def ksg_information(x: FloatArray, y: FloatArray, *, neighbours: int) -> float:
    r"""Mutual information in nats, at least 0: (n,), (n,) -> (). NaN where n is not above `neighbours`.

    Kraskov, Stögbauer and Grassberger's first estimator (10.1103/PhysRevE.69.066138, eq. 8), with k `neighbours`:
    $\psi(k) + \psi(n) - \langle\psi(n_x + 1) + \psi(n_y + 1)\rangle$ in the maximum norm, negative values cut to 0.

    Nearly unbiased for independent variables, whose values scatter by about 0.05 nats at n = 300 and k = 5. A bias
    downwards sets in with strong dependence: it needs n well above exp(2 I) (arXiv:1411.2003) and cannot exceed
    psi(n) - psi(k), which a copy reaches (4.2 nats at n = 300, k = 5). Each step of ln 2 / 2 costs twice the
    subjects, below some 50 only gross dependence shows. Ties are taken for
    information: break them first, as `normal_scores` does. Not for classes.
    """
    n = len(x)
    if n <= neighbours:
        return float("nan")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    joint = np.column_stack([x, y])
    farthest = np.asarray(KDTree(joint).query(joint, k=neighbours + 1, p=np.inf)[0])[:, -1]
    # The neighbour itself lies on the border and must not count: below it by more than the rounding of value + radius.
    radius = np.maximum(farthest - 1e-12 * np.abs(joint).max(), 0)
    within = digamma(_count_within(x, radius)) + digamma(_count_within(y, radius))
    return max(0.0, float(digamma(n) + digamma(neighbours) - within.mean()))


def _count_within(values: FloatArray, radius: FloatArray) -> FloatArray:
    """How many values, its own among them, lie within each one's radius: (n,), (n,) -> (n,)."""
    ordered = np.sort(values)
    above = np.searchsorted(ordered, values + radius, side="right")
    return np.asarray(above - np.searchsorted(ordered, values - radius, side="left"), dtype=np.float64)


def information_matrix(codes: FloatArray, factors: FloatArray, *, neighbours: int) -> FloatArray:
    """Mutual information of every code with every factor, in nats: (n, L), (n, K) -> (L, K).

    A factor counts over the subjects that have it; NaN means that one does not.
    """
    found = np.zeros((codes.shape[1], factors.shape[1]))
    for k in range(factors.shape[1]):
        known = np.isfinite(factors[:, k])
        for j in range(codes.shape[1]):
            found[j, k] = ksg_information(codes[known, j], factors[known, k], neighbours=neighbours)
    return found


def information_coefficient(information: FloatArray) -> FloatArray:
    r"""Mutual information on the scale of R²: $1 - e^{-2 I}$, in [0, 1), any shape.

    The square of Linfoot's coefficient (10.1016/S0019-9958(57)90116-X); r² for two normal variables. It takes the place
    of I / H, since a continuous variable has no entropy to divide by: its information about itself is infinite, which
    this maps to 1.
    """
    return np.asarray(-np.expm1(-2 * information))
