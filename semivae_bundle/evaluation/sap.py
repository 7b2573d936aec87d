"""Separated attribute predictability: is a factor predicted by one code only?"""

from __future__ import annotations

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.mig import top_gap


def squared_correlations(codes: FloatArray, factors: FloatArray) -> FloatArray:
    """R² of the regression line of each factor on each code, over the subjects that have the factor (not NaN):
    (n, L), (n, K) -> (L, K). 0 where either is constant.
    """
    found = np.zeros((codes.shape[1], factors.shape[1]))
    for k in range(factors.shape[1]):
        known = np.isfinite(factors[:, k])
        x, y = codes[known] - codes[known].mean(axis=0), factors[known, k] - factors[known, k].mean()
        spread = np.square(x).sum(axis=0) * np.square(y).sum()
        np.divide(np.square(y @ x), spread, out=found[:, k], where=spread > 1e-20 * len(y) ** 2)
    return found


def separated_predictability(codes: FloatArray, factors: FloatArray) -> float:
    """Mean over factors of the lead in R² of the best code over the second (arXiv:1711.00848, section 3, with its R²
    for continuous factors): (n, L), (n, K) -> at most 1. Sees straight lines only; 0 for a factor held twice.
    """
    return float(top_gap(squared_correlations(codes, factors)).mean())
