"""Several predictions of one thing -> one, each weighted by how exact it has been."""

from __future__ import annotations

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray

FORMULA = (
    "fused_f = sum_m w_mf predicted_mf, w_mf = p_mf / sum_k p_kf, p_mf = 1 / (mean squared error of model m in feature "
    "f over the validation subjects that have it), in the normalizer's units; equal weights where none of them has it"
)
# Errors below a thousandth of a feature's standard deviation are luck: nobody gets all of the weight for them.
LEAST_MSE = 1e-6


def precision_weights(predicted: FloatArray, measured: FloatArray) -> FloatArray:
    r"""Weights $w_{mf} = p_{mf} / \sum_k p_{kf}$ with the precisions $p_{mf} = 1 / \mathrm{mse}_{mf}$: (M, F).

    `predicted` (M, n, F) of M models, `measured` (n, F), NaN where a subject does not have the feature; both of
    subjects that no model was trained on. A feature that nobody has gets equal weights. Of all weighted means this one
    has the least variance if the errors are unbiased and independent (inverse-variance weighting, 10.1002/wics.45).
    Models of one cohort err together to some extent, so it need not be the best mean.
    """
    squared = np.square(predicted - measured)
    known = np.isfinite(measured).any(axis=0)
    mse = np.ones((len(predicted), measured.shape[1]))
    mse[:, known] = np.nanmean(squared[:, :, known], axis=1)
    precision = 1 / np.maximum(mse, LEAST_MSE)
    return precision / precision.sum(axis=0)


def fuse(predicted: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean over models: (M, n, F), (M, F) -> (n, F)."""
    return np.einsum("mnf,mf->nf", predicted, weights)
