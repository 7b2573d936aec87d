"""Scores of the calibration scans -> the gate's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import median_abs_deviation
from sklearn.covariance import ledoit_wolf

from semivae_bundle.evaluation.conformal import (
    FloatArray,
    TooFewScans,
    check_level,
    conformal_quantile,
    drawn_scans,
    fewest_scans,
)
from semivae_bundle.evaluation.novelty import DISTANCE, SMALLEST, NoveltyGate, ScoreScale, mahalanobis, standardised

FOLDS = 5
# A score that differs from the usual by less than a hundredth is not strange.
NARROWEST = 0.01


def fewest_for_gate(false_alarm_rate: float) -> int:
    """Patients that a gate needs: one half to fit on, as many to rank against."""
    return 2 * max(fewest_scans(1 - false_alarm_rate), 2 * FOLDS)


def fit_novelty_gate(
    means: FloatArray, scores: Mapping[str, FloatArray], patients: Sequence[str], *, false_alarm_rate: float, seed: int
) -> NoveltyGate:
    """`means` (n, L) and `scores`, name -> (n,), of scans of `patients` (n); one scan is drawn per patient.

    A random half fits the covariance (Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4) and each score's usual
    range; the other half ranks the farthest score. Halves, because a covariance finds the scans that it was fitted on
    closer than new ones: with more dimensions than scans, far closer. One limit for the farthest of several scores
    keeps the rate of false alarms, without Bonferroni's loss. Raises TooFewScans below `fewest_for_gate` patients.
    """
    check_level(false_alarm_rate, "false_alarm_rate")
    drawn = drawn_scans(patients, np.ones(len(patients), dtype=np.bool_), seed)
    if len(drawn) < fewest_for_gate(false_alarm_rate):
        raise TooFewScans(
            f"expected scans of at least {fewest_for_gate(false_alarm_rate)} patients for a false-alarm rate of "
            f"{false_alarm_rate:g}, found {len(drawn)}; add patients, or accept a higher rate"
        )
    order = np.random.default_rng([seed, 1]).permutation(drawn)
    fitted, ranked = order[: len(order) // 2], order[len(order) // 2 :]
    covariance, centre = ledoit_wolf(means[fitted])[0], means[fitted].mean(axis=0)
    known = {DISTANCE: held_out_distances(means[fitted]), **{name: value[fitted] for name, value in scores.items()}}
    scales = tuple(_scale(name, value) for name, value in known.items())
    new = {DISTANCE: mahalanobis(means[ranked], centre, covariance)} | {
        name: value[ranked] for name, value in scores.items()
    }
    strangeness = np.sort(np.abs(standardised(new, scales)).max(axis=0))
    return NoveltyGate(
        false_alarm_rate=false_alarm_rate,
        limit=conformal_quantile(strangeness, 1 - false_alarm_rate),
        scales=scales,
        fitted_scans=len(fitted),
        calibration=tuple(strangeness.tolist()),
        mean=tuple(centre.tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
    )


def held_out_distances(means: FloatArray) -> FloatArray:
    """Distance of each latent mean (n, L) from a fit on the other four fifths: (n,), what a new scan would have."""
    distances = np.empty(len(means))
    fold = np.arange(len(means)) % FOLDS
    for k in range(FOLDS):
        rest = means[fold != k]
        distances[fold == k] = mahalanobis(means[fold == k], rest.mean(axis=0), ledoit_wolf(rest)[0])
    return distances


def _scale(name: str, values: FloatArray) -> ScoreScale:
    logs = np.log(np.maximum(values, SMALLEST))
    spread = float(median_abs_deviation(logs, scale="normal"))
    if spread < NARROWEST:
        # Most values agree, and the few that do not would be infinitely strange: all other scores would drown.
        spread = max(float(logs.std()), NARROWEST)
    return ScoreScale(name, float(np.median(logs)), spread)
