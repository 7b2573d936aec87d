"""Ranks as the quantiles of a normal distribution: what is left when a variable's own scale is not to matter."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from semivae_bundle.evaluation.bootstrap import FloatArray


def normal_scores(values: FloatArray, *, seed: int) -> FloatArray:
    r"""Van der Waerden's scores $\Phi^{-1}(r / (n + 1))$ of each column, r the rank: (n, D) -> (n, D).

    NaN stays NaN and does not count; a constant becomes 0. Mutual information does not change under a monotone map.
    Ties, which an estimate from nearest neighbours takes for information, are broken at random: every column that is no
    constant then has the same set of scores, so that one permutation null serves every pair of columns.
    """
    scores, rng = np.full(values.shape, np.nan), np.random.default_rng(seed)
    for j in range(values.shape[1]):
        rows = rng.permutation(np.flatnonzero(np.isfinite(values[:, j])))
        column = values[rows, j]
        constant = column.size == 0 or np.ptp(column) == 0
        scores[rows, j] = 0 if constant else ndtri(rankdata(column, method="ordinal") / (len(rows) + 1))
    return scores
