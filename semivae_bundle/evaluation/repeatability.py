"""How well a figure repeats when a patient is scanned again, the tumour being the same.

Wanted by whoever reads growth off two visits: a change below the repeatability coefficient is noise.
Bland & Altman, BMJ 313:744 (1996); Shrout & Fleiss, Psychol. Bull. 86:420 (1979), ICC(1,1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semivae_bundle.evaluation.bootstrap import Estimate, FloatArray, estimate, of_enough_patients

TWO_SCANS_95 = 1.96 * np.sqrt(2)


@dataclass(frozen=True)
class Repeatability:
    """Of one figure. `within_sd`: of repeats of one scan. `coefficient`: 1.96 √2 within_sd, which the difference of two
    repeats stays below 19 times in 20. `between_sd`: of the scans themselves, without the repeats' part; 0 where they
    explain all. `icc`: share of the variance that lies between scans, 1 where repeats agree, 0 where they tell nothing;
    it may fall below.
    """

    within_sd: Estimate
    coefficient: float
    between_sd: float
    icc: Estimate


def repeatability(values: FloatArray, counts: FloatArray, level: float) -> list[Repeatability]:
    """One-way random effects: `values` (n, k, Q), k repeats of n scans -> one per figure.

    `counts`: (R, n) from `patient_resamples`. Raises ValueError for fewer than two scans or repeats.
    """
    scans, repeats, _ = values.shape
    if scans < 2 or repeats < 2:
        raise ValueError(f"repeatability: expected at least 2 scans and 2 repeats, found {scans} and {repeats}")
    within, between = _mean_squares(values, np.ones((1, scans)))
    within_resampled, between_resampled = _mean_squares(values, counts)
    icc, icc_resampled = _icc(within, between, repeats), _icc(within_resampled, between_resampled, repeats)
    within_sd, within_sd_resampled = np.sqrt(within), np.sqrt(within_resampled)
    between_sd = np.sqrt(np.maximum(between - within, 0) / repeats)
    return [
        Repeatability(
            within_sd=estimate(within_sd[0, q], of_enough_patients(within_sd_resampled[:, q], counts), scans, level),
            coefficient=float(TWO_SCANS_95 * within_sd[0, q]),
            between_sd=float(between_sd[0, q]),
            icc=estimate(icc[0, q], of_enough_patients(icc_resampled[:, q], counts), scans, level),
        )
        for q in range(values.shape[2])
    ]


def _mean_squares(values: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of an analysis of variance, within and between scans, under each row of `counts`: (R, Q) each.

    NaN between the scans of a resample that holds one alone.
    """
    total = counts.sum(axis=1, keepdims=True)
    within = counts @ values.var(axis=1, ddof=1) / total
    means = values.mean(axis=1)
    means = means - means.mean(axis=0)
    squares = counts @ means**2 - (counts @ means) ** 2 / total
    alone = (counts > 0).sum(axis=1, keepdims=True) < 2
    spread = values.shape[1] * np.maximum(squares, 0) / np.maximum(total - 1, 1)
    return within, np.where(alone, np.nan, spread)


def _icc(within: FloatArray, between: FloatArray, repeats: int) -> FloatArray:
    """NaN for a figure that never varies."""
    whole = between + (repeats - 1) * within
    return np.divide(between - within, whole, out=np.full_like(whole, np.nan), where=whole > 0)
