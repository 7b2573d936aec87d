"""How well decoded maps follow what was asked for, and what else moves with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.covariance import LedoitWolf

from semivae_bundle.evaluation.bootstrap import FloatArray, mean_estimate, patient_resamples
from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.traversal import Traversal, compared
from semivae_bundle.evaluation.traversal_options import FEWEST_STEPS
from semivae_bundle.evaluation.traversal_request import compared_in
from semivae_bundle.features.schema import feature_of

LEAKAGE = (
    "slope of a feature of the decoded map on the moved head's value, both in standard deviations of the training "
    "cohort, shapes after their regression on the decoded map's own volume; row: the moved feature, column: the "
    "measured one; mean over scans, signed; mean_absolute has the size where signs differ between scans"
)


FEWEST_CODES = 20
Distance = Callable[[FloatArray], FloatArray]
"""Changes of the code (S, L) -> their lengths (S,) in standard deviations of the scans' codes."""


def code_distance(codes: FloatArray) -> Distance:
    """Mahalanobis length by the covariance of `codes` (n, L), shrunk after Ledoit and Wolf, which makes a change that
    few scans show too short. NaN below 20 scans, of which the covariance says nothing: one scan makes every length 0,
    three may double it.
    """
    if len(codes) < FEWEST_CODES:
        return lambda change: np.full(len(change), np.nan)
    precision = LedoitWolf().fit(codes).precision_
    return lambda change: np.sqrt(np.maximum(np.einsum("sl,lm,sm->s", change, precision, change), 0))


def slope(x: FloatArray, y: FloatArray) -> float:
    """Least-squares slope of y on x (S,) over the steps where both are known; NaN for fewer than three."""
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < FEWEST_STEPS or np.ptp(x[known]) == 0:
        return float("nan")
    from_mean = x[known] - x[known].mean()
    return float(from_mean @ (y[known] - y[known].mean()) / (from_mean @ from_mean))


def rank_correlation(x: FloatArray, y: FloatArray) -> float:
    """Spearman's correlation over the known steps; 0 where y stays the same, which is not to follow; NaN for fewer
    than three.
    """
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < FEWEST_STEPS:
        return float("nan")
    return float(spearmanr(x[known], y[known]).statistic) if np.ptp(y[known]) > 0 else 0.0


def followed_section(
    traversals: Sequence[Traversal], column: str, intervals: Intervals, distance: Distance
) -> dict[str, Any]:
    """Of all scans' traversals of one feature: rank correlation and slope with intervals over patients, the curves, and
    how many maps lacked the region. Steps without it are left out of a scan's figures; below three there are none.
    `distance` gives the length of the farthest change of the code.
    """
    pairs = [compared(one, column) for one in traversals]
    ranks, slopes = (np.array([figure(x, y) for x, y in pairs]) for figure in (rank_correlation, slope))
    empty = np.array([np.isnan(y).sum() for _, y in pairs])
    counts = patient_resamples([one.patient for one in traversals], intervals.resamples, intervals.seed)
    physical = compared_in(column) != "normalised"
    lengths = np.array([distance(one.change).max() for one in traversals])
    return {
        "scans": len(traversals),
        "patients": len({one.patient for one in traversals}),
        "compared_in": compared_in(column),
        "spearman": mean_estimate(ranks, counts, intervals.level),
        "slope": mean_estimate(slopes, counts, intervals.level),
        "farthest_change": mean_estimate(lengths, counts, intervals.level),
        "without_the_region": {
            "scans": int((empty > 0).sum()),
            "maps": int(empty.sum()),
            "maps_in_all": sum(len(y) for _, y in pairs),
            "scans_without_figures": int(np.isnan(slopes).sum()),
        },
        "curves_unit": (feature_of(column).physical_unit or "1") if physical else "normalised",
        "curves": [
            {
                "scan": one.scan,
                "requested": (one.requested_physical if physical else one.requested)[:, one.position],
                "obtained": (one.obtained_physical if physical else one.obtained)[:, one.position],
            }
            for one in traversals
        ],
    }


def leakage_section(
    moved: Mapping[str, Sequence[Traversal]], positions: Sequence[int], intervals: Intervals
) -> dict[str, Any]:
    """The square matrix of LEAKAGE. `moved`: feature -> its traversals; `positions` of these features, in order."""
    figures: dict[str, list[list[float]]] = {"mean": [], "low": [], "high": [], "mean_absolute": []}
    for traversals in moved.values():
        counts = patient_resamples([one.patient for one in traversals], intervals.resamples, intervals.seed)
        slopes = np.array(
            [[slope(one.requested[:, one.position], one.obtained[:, j]) for j in positions] for one in traversals]
        )
        row = [mean_estimate(of_one, counts, intervals.level) for of_one in slopes.T]
        size = [mean_estimate(np.abs(of_one), counts, intervals.level).value for of_one in slopes.T]
        figures["mean"].append([one.value for one in row])
        figures["low"].append([one.low for one in row])
        figures["high"].append([one.high for one in row])
        figures["mean_absolute"].append(size)
    return {"meaning": LEAKAGE, "features": list(moved), **figures}
