"""Bounds of the worst of several figures, for figures of metrics.json that have no interval of their own.

The largest of several estimates was chosen for its error too. Let T be the largest of the true values. What attains T
was estimated no higher than the largest estimate, so an upper bound as of one figure holds for T; a lower bound must
hold for all at once and is taken at the error probability over their number (Bonferroni). For the least of several it
is the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, norm


def correlation_bounds(largest: float, pairs: int, patients: int, level: float) -> tuple[float, float] | None:
    """Of the largest |r| among `pairs`, by Fisher's z (doi:10.2307/2331838); None below five patients."""
    if patients < 5 or pairs < 1:
        return None
    z, scatter = math.atanh(min(abs(largest), 1 - 1e-9)), 1 / math.sqrt(patients - 3)
    low, high = z - _tail(level, pairs) * scatter, z + _tail(level, 1) * scatter
    return max(math.tanh(low), 0.0), math.tanh(high)


def largest_bounds(values: Sequence[float], errors: Sequence[float], level: float) -> tuple[float, float] | None:
    """Of the largest of normal estimates with these standard errors; None without any."""
    if not values:
        return None
    value, error = np.asarray(values), np.asarray(errors)
    low = (value - _tail(level, len(values)) * error).max()
    return float(low), float((value + _tail(level, 1) * error).max())


def r2_error(r2: float, patients: int) -> float:
    """Standard error of an R² by the delta method, sqrt(4 R² (1 - R²)² / n) (doi:10.1037/0033-2909.118.1.155); at least
    that of R² = 1 / n, below which the formula would have it exact.
    """
    share = min(max(r2, 1 / patients), 1.0)
    return math.sqrt(4 * share * (1 - share) ** 2 / patients)


def least_share_bounds(counts: Sequence[tuple[int, int]], level: float) -> tuple[float, float] | None:
    """Of the least of shares (hits, of how many), Clopper-Pearson; here the upper bound is the one for all at once."""
    if not counts:
        return None
    each, joint = level, 1 - (1 - level) / len(counts)
    intervals = [
        (binomtest(hits, n).proportion_ci(each).low, binomtest(hits, n).proportion_ci(joint).high) for hits, n in counts
    ]
    return float(min(low for low, _ in intervals)), float(min(high for _, high in intervals))


def least_estimate_bounds(estimates: Sequence[tuple[float, float, float]], level: float) -> tuple[float, float] | None:
    """Of the least of estimates (value, low, high); the upper bound's distance is widened to hold for all at once."""
    if not estimates:
        return None
    wider = _tail(level, len(estimates)) / _tail(level, 1)
    return min(low for _, low, _ in estimates), min(value + wider * (high - value) for value, _, high in estimates)


def _tail(level: float, family: int) -> float:
    return float(norm.ppf(1 - (1 - level) / 2 / family))
