"""A sparse regression of the factors on the codes: whose weights say how much it uses each code."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.probes import held_out_r2, standardised

PENALTIES, WEAKEST = 10, 0.01
"""How many, and the weakest as a share of the one that leaves nothing."""


@dataclass(frozen=True)
class LassoFit:
    """`weights` (L, K) of standardised codes for standardised factors; `r2` (K,) held out, DCI's informativeness."""

    weights: FloatArray
    r2: FloatArray


def fit_lasso(codes: FloatArray, factors: FloatArray, *, folds: int) -> LassoFit:
    """Lasso of each factor on all codes: (n, L), (n, K), one row per patient, NaN where a factor is absent.

    The penalty is the best of 10 in cross-validation, `r2` comes from folds outside of that choice. Where it is not
    above 0 nothing was learned and the weights, which would be noise, are 0. Of two copies of a factor lasso may use
    one and leave the other: importance does not see all the duplication that MIG and SAP see. Straight relations only.
    """
    weights, r2 = np.zeros((codes.shape[1], factors.shape[1])), np.zeros(factors.shape[1])
    inputs, model = standardised(codes), LassoCV(alphas=PENALTIES, eps=WEAKEST, cv=folds)
    if not inputs.any():
        return LassoFit(weights, r2)
    for k in range(factors.shape[1]):
        known = np.flatnonzero(np.isfinite(factors[:, k]))
        x, y = inputs[known], factors[known, k]
        y = (y - y.mean()) / y.std()
        with warnings.catch_warnings():
            # Few subjects fit exactly at the weakest penalties, which are then not chosen.
            warnings.simplefilter("ignore", ConvergenceWarning)
            r2[k] = held_out_r2(model, x, y, [str(i) for i in known], folds=folds)
            if r2[k] > 0:
                weights[:, k] = model.fit(x, y).coef_
    return LassoFit(weights, r2)
