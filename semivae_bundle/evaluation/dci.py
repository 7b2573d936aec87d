"""Disentanglement and completeness, from how much a regressor uses each code for each factor.

Eastwood and Williams, ICLR 2018, openreview.net/forum?id=By-7dz-AZ, section 2. Their third figure, informativeness, is
the held-out R² of the regressor, see `lasso.py`.
"""

from __future__ import annotations

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray


def _concentration(shares: FloatArray) -> FloatArray:
    """1 - entropy of each row in units of its largest: weights (r, c) -> (r,); 1 for a single one, 0 for equal ones."""
    if shares.shape[1] < 2:
        return np.ones(len(shares))
    p = shares / shares.sum(axis=1, keepdims=True)
    logarithm = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(1 + (p * logarithm).sum(axis=1) / np.log(shares.shape[1]))


def dci_disentanglement(importance: FloatArray) -> float:
    """How far a code serves one factor only: mean over codes, each weighted by its share of all importance.

    `importance` (L, K), not negative -> in [0, 1]; NaN where all is 0. A code that is not used has no weight.
    """
    used = importance[importance.sum(axis=1) > 0]
    if not len(used):
        return float("nan")
    return float(np.average(_concentration(used), weights=used.sum(axis=1)))


def dci_completeness(importance: FloatArray) -> float:
    """How far a factor is held by one code only: mean over the factors that any code serves.

    `importance` (L, K), not negative -> in [0, 1]; NaN where all is 0. 1 - ln 2 / ln L for factors held twice.
    """
    used = importance.T[importance.sum(axis=0) > 0]
    return float(_concentration(used).mean()) if len(used) else float("nan")
