"""Scores of the calibration scans -> the gate's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
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
from semivae_bundle.evaluation.profile_distance import (
    FOLDS,
    UsualProfile,
    fit_usual_profile,
    held_out,
    held_out_scores,
    profile_scores,
)
from semivae_bundle.evaluation.scan_profiles import READINGS

TAIL = 0.05
# A score that differs from the usual by less than a hundredth is not strange.
NARROWEST = 0.01


def fewest_for_gate(false_alarm_rate: float) -> int:
    """Patients that a gate needs: one half to fit on, as many to rank against."""
    return 2 * max(fewest_scans(1 - false_alarm_rate), 2 * FOLDS)


def fit_novelty_gate(
    means: FloatArray,
    scores: Mapping[str, FloatArray],
    patients: Sequence[str],
    *,
    false_alarm_rate: float,
    seed: int,
    profiles: Mapping[str, FloatArray] | None = None,
) -> NoveltyGate:
    """`means` (n, L), `scores`, name -> (n,), and `profiles`, name -> (n, K), of scans of `patients` (n); one scan is
    drawn per patient.

    A random half fits the covariances (Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4) and each score's usual
    range; the other half ranks the farthest score. Halves, because a covariance finds the scans that it was fitted on
    closer than new ones: with more dimensions than scans, far closer. One limit for the farthest of several scores
    keeps the rate of false alarms, without Bonferroni's loss. Raises TooFewScans below `fewest_for_gate` patients.
    """
    check_level(false_alarm_rate, "--false_alarm_rate")
    drawn = drawn_scans(patients, np.ones(len(patients), dtype=np.bool_), seed)
    if len(drawn) < fewest_for_gate(false_alarm_rate):
        raise TooFewScans(
            f"expected scans of at least {fewest_for_gate(false_alarm_rate)} patients for a false-alarm rate of "
            f"{false_alarm_rate:g}, found {len(drawn)}; add patients, or accept a higher rate"
        )
    order = np.random.default_rng([seed, 1]).permutation(drawn)
    fitted, ranked = order[: len(order) // 2], order[len(order) // 2 :]
    covariance, centre = ledoit_wolf(means[fitted])[0], means[fitted].mean(axis=0)
    usual, of_fitted, of_ranked = _profiles(profiles or {}, fitted, ranked)
    of_fitted = {DISTANCE: held_out_distances(means[fitted]), **of_fitted}
    of_fitted |= {name: one[fitted] for name, one in scores.items()}
    of_ranked |= {DISTANCE: mahalanobis(means[ranked], centre, covariance)}
    of_ranked |= {name: one[ranked] for name, one in scores.items()}
    scales = tuple(_scale(name, value) for name, value in of_fitted.items())
    strangeness = np.sort(np.abs(standardised(of_ranked, scales)).max(axis=0))
    return NoveltyGate(
        false_alarm_rate=false_alarm_rate,
        limit=conformal_quantile(strangeness, 1 - false_alarm_rate),
        scales=scales,
        fitted_scans=len(fitted),
        calibration=tuple(strangeness.tolist()),
        mean=tuple(centre.tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        profiles=usual,
    )


def _profiles(
    profiles: Mapping[str, FloatArray], fitted: NDArray[np.intp], ranked: NDArray[np.intp]
) -> tuple[tuple[UsualProfile, ...], dict[str, FloatArray], dict[str, FloatArray]]:
    """The usual profiles, and the scores of the scans that they were fitted on (held out) and that are ranked."""
    usual = tuple(fit_usual_profile(name, values[fitted]) for name, values in profiles.items())
    of_fitted = {name: held_out_scores(name, values[fitted], READINGS) for name, values in profiles.items()}
    return usual, of_fitted, {one.name: profile_scores(one, profiles[one.name][ranked], READINGS) for one in usual}


def held_out_distances(means: FloatArray) -> FloatArray:
    """Distance of each latent mean (n, L) from a fit on the other four fifths: (n,)."""
    return held_out(means, lambda rest, left: mahalanobis(left, rest.mean(axis=0), ledoit_wolf(rest)[0]))


def _scale(name: str, values: FloatArray) -> ScoreScale:
    """Each side by its own 5 % quantile: a distance has a long tail above and a short one below, a probability near 1
    the other way round, and with one spread for both the longer tail sets a limit that the other side never reaches.
    """
    logs = np.log(np.maximum(values, SMALLEST))
    low, centre, high = np.quantile(logs, [TAIL, 0.5, 1 - TAIL]).tolist()
    unit = float(norm.ppf(1 - TAIL))
    return ScoreScale(name, centre, _wide((centre - low) / unit, logs), _wide((high - centre) / unit, logs))


def _wide(spread: float, logs: FloatArray) -> float:
    # Most values agree, and the few that do not would be infinitely strange: all other scores would drown.
    return spread if spread >= NARROWEST else max(float(logs.std()), NARROWEST)
