"""How well measured features are predicted: R², Pearson correlation and absolute error, with intervals."""

from __future__ import annotations

import numpy as np

from semivae_bundle.evaluation.bootstrap import (
    Estimate,
    FloatArray,
    estimate,
    mean_estimate,
    of_enough_patients,
    weighted_mean,
)
from semivae_bundle.training.latent_metrics import r2_per_feature

FEWEST_SUBJECTS = 3


def weighted_r2(prediction: FloatArray, target: FloatArray, weights: FloatArray) -> FloatArray:
    r"""$1 - \sum w (y-\hat y)^2 / \sum w (y-\bar y_w)^2$ under each row of `weights`: (n,), (n,), (R, n) -> (R,).

    With weights of 1 it is `r2_per_feature` of one feature. NaN where the target does not vary.
    """
    # The mean comes off first: the spread is then a difference of small numbers, not of large ones.
    centred = target - target.mean() if target.size else target
    spread = weights @ np.square(centred) - weights.sum(axis=1) * np.square(weighted_mean(centred, weights))
    error = weights @ np.square(target - prediction)
    return 1 - _ratio(error, spread, np.square(centred).sum())


def weighted_pearson(prediction: FloatArray, target: FloatArray, weights: FloatArray) -> FloatArray:
    """Pearson correlation under each row of `weights`: (n,), (n,), (R, n) -> (R,); NaN where one is constant."""
    if not target.size:
        return np.full(len(weights), np.nan)
    x, y = prediction - prediction.mean(), target - target.mean()
    total = weights.sum(axis=1)
    x_mean, y_mean = weighted_mean(x, weights), weighted_mean(y, weights)
    covariance = weights @ (x * y) - total * x_mean * y_mean
    x_spread = weights @ np.square(x) - total * np.square(x_mean)
    y_spread = weights @ np.square(y) - total * np.square(y_mean)
    product = np.clip(x_spread, 0, None) * np.clip(y_spread, 0, None)
    return np.clip(_ratio(covariance, np.sqrt(product), np.sqrt((x**2).sum() * (y**2).sum())), -1, 1)


def _ratio(numerator: FloatArray, denominator: FloatArray, scale: float) -> FloatArray:
    """Quotient; NaN where the denominator is rounding noise beside `scale`."""
    enough = denominator > 1e-12 * scale
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=enough)


def r2_estimates(
    prediction: FloatArray, target: FloatArray, present: np.ndarray, counts: FloatArray, level: float
) -> tuple[list[Estimate], FloatArray]:
    """R² of each feature over the subjects that have it, and its resampled values.

    `prediction`, `target`, `present` (n, F), `counts` (R, n) -> F estimates, (R, F). A prediction that is constant has
    an R² of at most 0; fewer than three subjects have none. Resampled values of fewer than ten patients are NaN.
    """
    values = r2_per_feature(prediction, target, present)
    resampled = np.full((len(counts), target.shape[1]), np.nan)
    for f in range(target.shape[1]):
        rows = present[:, f] > 0
        if rows.sum() >= FEWEST_SUBJECTS:
            weights = counts[:, rows]
            resampled[:, f] = of_enough_patients(weighted_r2(prediction[rows, f], target[rows, f], weights), weights)
    known = (present > 0).sum(axis=0)
    return [estimate(values[f], resampled[:, f], int(known[f]), level) for f in range(len(values))], resampled


def pearson_estimate(
    prediction: FloatArray, target: FloatArray, present: np.ndarray, counts: FloatArray, level: float
) -> Estimate:
    """Pearson correlation of one feature over the subjects that have it: (n,), (n,), (n,), (R, n)."""
    rows = present > 0
    if rows.sum() < FEWEST_SUBJECTS:
        return estimate(float("nan"), np.empty(0), int(rows.sum()), level)
    x, y, weights = prediction[rows], target[rows], counts[:, rows]
    value = float(weighted_pearson(x, y, np.ones((1, len(x))))[0])
    return estimate(value, of_enough_patients(weighted_pearson(x, y, weights), weights), len(x), level)


def mae_estimate(prediction: FloatArray, target: FloatArray, counts: FloatArray, level: float) -> Estimate:
    """Mean absolute error in the values' unit; a target of NaN is left out: (n,), (n,), (R, n)."""
    return mean_estimate(np.abs(prediction - target), counts, level)


def mean_r2_estimate(r2: list[Estimate], resampled: FloatArray, level: float) -> Estimate:
    """Mean of the defined R² of some features; `resampled` (R, F) are their resampled values.

    Where one of these features has no interval, neither has the mean.
    """
    values = np.array([one.value for one in r2])
    defined = np.isfinite(values)
    if not defined.any():
        return estimate(float("nan"), np.empty(0), 0, level)
    subjects = max(one.subjects for one in r2)
    return estimate(float(values[defined].mean()), resampled[:, defined].mean(axis=1), subjects, level)


def pooled_r2(prediction: FloatArray, target: FloatArray, present: np.ndarray) -> float:
    """R² over all features flattened into one list, for comparison with work that reports it so.

    A constant per feature scores above 0 here as soon as the features' means differ: not a figure to steer by.
    """
    rows = present > 0
    return float(r2_per_feature(prediction[rows][:, None], target[rows][:, None], np.ones((int(rows.sum()), 1)))[0])
