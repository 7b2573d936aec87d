"""Two runs on the same subjects -> by how much each feature and each partition differs, and whether that is chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semivae_bundle.evaluation.bootstrap import (
    FloatArray,
    of_enough_patients,
    patient_resamples,
    percentile_interval,
    weighted_mean,
)
from semivae_bundle.evaluation.paired_runs import PairedRuns
from semivae_bundle.evaluation.regression import FEWEST_SUBJECTS, weighted_r2
from semivae_bundle.evaluation.sign_flip import adjusted, patient_sums, sign_flip_p_values

SPREADS = "standard deviations"


@dataclass(frozen=True)
class Paired:
    """One figure of both runs, and `difference`, second minus first, with its interval. NaN where not defined."""

    first: float
    second: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Compared:
    """A feature, or a partition (`name` == `partition`): R², mean absolute error in `unit`, and the test of both runs'
    squared errors. `q_value` is adjusted over the features, or over the partitions.
    """

    name: str
    partition: str
    subjects: int
    r2: Paired
    mae: Paired
    unit: str
    p_value: float
    q_value: float

    def better(self, false_discovery_rate: float) -> str:
        """`first` or `second` where the test tells them apart at this rate, else nothing."""
        if not self.q_value <= false_discovery_rate:
            return ""
        return "second" if self.r2.difference > 0 else "first"


def compare_runs(
    runs: PairedRuns, *, level: float, resamples: int, draws: int, seed: int
) -> tuple[list[Compared], list[Compared]]:
    """Features and partitions. `level`, `resamples` of the bootstrap over patients, both runs on the same resamples;
    `draws` of the sign flips. A figure of fewer than ten patients has no interval.

    A partition's R² is the mean of its features', its mean absolute error that of the features' errors in standard
    deviations of what was measured. Its test is that of the sum of their mean squares, 1 - R² each, so that it is the
    run of the larger R² that it finds better, however many scans have each feature. R² is of the quantity as a
    user gets it, so a residualised feature's is not that of metrics.json, which leaves out what the volume tells.
    """
    counts = patient_resamples(runs.patients, resamples, seed)
    names = list(dict.fromkeys(runs.partitions))
    members = [[f for f, owner in enumerate(runs.partitions) if owner == name] for name in names]
    errors = _errors_in_spreads(runs)
    scans = np.isfinite(runs.measured).sum(axis=0)
    gained = patient_sums(np.square(errors[1]) - np.square(errors[0]), runs.patients) / np.maximum(scans, 1)
    with_r2 = gained * (scans >= FEWEST_SUBJECTS)
    joint = np.stack([with_r2[:, columns].sum(axis=1) for columns in members], axis=1)
    p = sign_flip_p_values(np.concatenate([gained, joint], axis=1), draws=draws, seed=seed)
    r2 = [_r2(predicted, runs.measured, counts) for predicted in (runs.first, runs.second)]
    count = len(runs.features)
    features = [_feature(runs, f, r2, counts, level, float(p[f]), float(q)) for f, q in enumerate(adjusted(p[:count]))]
    partitions = []
    for k, q in enumerate(adjusted(p[count:])):
        known = np.isfinite(runs.measured[:, members[k]]).any(axis=1)
        of_r2 = _paired([_mean_of_defined(*one, members[k]) for one in r2], level)
        mae = _paired([_mean_of_features(np.abs(one[:, members[k]]), counts) for one in errors], level)
        figures = (int(known.sum()), of_r2, mae, SPREADS, float(p[count + k]), float(q))
        partitions.append(Compared(names[k], names[k], *figures))
    return features, partitions


def _feature(
    runs: PairedRuns,
    f: int,
    r2: Sequence[tuple[FloatArray, FloatArray]],
    counts: FloatArray,
    level: float,
    p: float,
    q: float,
) -> Compared:
    measured = runs.physical_measured[:, f]
    errors = [np.abs(predicted[:, f] - measured) for predicted in (runs.physical_first, runs.physical_second)]
    of_r2 = _paired([(float(values[f]), resampled[:, f]) for values, resampled in r2], level)
    mae = _paired([_mean(one, counts) for one in errors], level)
    feature, known = runs.features[f], int(np.isfinite(measured).sum())
    return Compared(feature.column, runs.partitions[f], known, of_r2, mae, feature.physical_unit, p, q)


def _errors_in_spreads(runs: PairedRuns) -> list[FloatArray]:
    """Of each run (n, F), in standard deviations of what was measured; NaN where that does not vary."""
    known = [column[np.isfinite(column)] for column in runs.measured.T]
    spread = np.array([column.std() if column.size else np.nan for column in known])
    spread[spread == 0] = np.nan
    return [(predicted - runs.measured) / spread for predicted in (runs.first, runs.second)]


Resampled = tuple[float, FloatArray]


def _r2(predicted: FloatArray, measured: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R² of each feature (F,) and resampled (R, F)."""
    values, resampled = np.full(measured.shape[1], np.nan), np.full((len(counts), measured.shape[1]), np.nan)
    for f in range(measured.shape[1]):
        known = np.isfinite(measured[:, f])
        if known.sum() >= FEWEST_SUBJECTS:
            y_hat, y, weights = predicted[known, f], measured[known, f], counts[:, known]
            values[f] = weighted_r2(y_hat, y, np.ones((1, len(y))))[0]
            resampled[:, f] = of_enough_patients(weighted_r2(y_hat, y, weights), weights)
    return values, resampled


def _mean(errors: FloatArray, counts: FloatArray) -> Resampled:
    known = np.isfinite(errors)
    value = float(errors[known].mean()) if known.any() else float("nan")
    weights = counts[:, known]
    return value, of_enough_patients(weighted_mean(errors[known], weights), weights)


def _mean_of_features(errors: FloatArray, counts: FloatArray) -> Resampled:
    found = [_mean(column, counts) for column in errors.T if np.isfinite(column).any()]
    if not found:
        return float("nan"), np.full(len(counts), np.nan)
    return float(np.mean([value for value, _ in found])), np.mean([resampled for _, resampled in found], axis=0)


def _mean_of_defined(values: FloatArray, resampled: FloatArray, columns: list[int]) -> Resampled:
    defined = [f for f in columns if np.isfinite(values[f])]
    if not defined:
        return float("nan"), np.full(len(resampled), np.nan)
    return float(values[defined].mean()), resampled[:, defined].mean(axis=1)


def _paired(both: Sequence[Resampled], level: float) -> Paired:
    """Of the first and the second run."""
    (first, first_resampled), (second, second_resampled) = both
    low, high = percentile_interval(second_resampled - first_resampled, level)
    return Paired(first, second, second - first, low, high)
