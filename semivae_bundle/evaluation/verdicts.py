"""metrics.json -> verdicts: can a growth model stand on this latent space?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from semivae_bundle.evaluation.validation_loss import loss_given_back
from semivae_bundle.evaluation.verdict import Bounded, Verdict, judge
from semivae_bundle.evaluation.verdict_figures import (
    decoded_dice,
    distance_correlation,
    feature_r2,
    interval_coverage,
    largest_correlation,
    largest_leak,
    least_gain,
    residual_use,
)
from semivae_bundle.evaluation.verdict_targets import VerdictTargets

SEMANTIC = {"volume_r2": "vol", "location_r2": "loc", "shape_r2": "shape"}


def all_verdicts(report: Mapping[str, Any], targets: VerdictTargets, history: pd.DataFrame | None) -> list[Verdict]:
    """Every check in the order of the page. `report` is the content of metrics.json, `history` the training's."""
    return [
        _no_collapse(report, targets.residual_active_fraction),
        *_features(report, targets),
        *_independence(report, targets),
        *_drawing(report, targets),
        _coverage(report, targets.coverage_shortfall),
        _leakage(report, targets.leakage_excess),
        _validation(history, targets.validation_loss_given_back),
    ]


def _at_least(check: str, title: str, found: Bounded, target: float, reason: str, unit: str = "") -> Verdict:
    return Verdict(check, title, found, target, True, unit, judge(found, target, at_least=True), reason)


def _at_most(check: str, title: str, found: Bounded, target: float, reason: str, unit: str = "") -> Verdict:
    return Verdict(check, title, found, target, False, unit, judge(found, target, at_least=False), reason)


def _no_collapse(report: Mapping[str, Any], target: float) -> Verdict:
    return _at_least(
        "residual_active_fraction",
        "No collapse: active share of the residual",
        residual_use(report),
        target,
        "what no feature names, such as the anatomy about the tumour, has no place but the residual's active units",
    )


def _features(report: Mapping[str, Any], targets: VerdictTargets) -> list[Verdict]:
    titles = {"volume_r2": "Volume: mean R²", "location_r2": "Location: mean R²", "shape_r2": "Shape: mean R²"}
    found = []
    for check, name in SEMANTIC.items():
        target = float(getattr(targets, check))
        lost = (
            f"a growth model reads its state from here; at R² {target:.2f}, "
            f"{100 * (1 - target):.0f} % of the differences between patients are an error of reading"
        )
        found.append(_at_least(check, titles[check], feature_r2(report, name), target, lost))
    return found


def _independence(report: Mapping[str, Any], targets: VerdictTargets) -> list[Verdict]:
    r, dependence = targets.largest_correlation, targets.distance_correlation
    return [
        _at_most(
            "largest_correlation",
            "Independence: largest correlation",
            largest_correlation(report),
            r,
            f"to move a partition without the others: at {r:g}, {100 * r * r:.0f} % of a dimension's variance follows",
        ),
        _at_most(
            "distance_correlation",
            "Independence: largest distance correlation",
            distance_correlation(report),
            dependence,
            "dependence that is no straight line would also let one partition drag another along",
        ),
    ]


def _drawing(report: Mapping[str, Any], targets: VerdictTargets) -> list[Verdict]:
    found = [
        _at_least(
            "dice",
            "Drawn tumour: Dice of the whole tumour",
            decoded_dice(report),
            targets.dice,
            "a grown code is looked at through the decoder; the tumour it draws must lie where the tumour is",
        )
    ]
    for place in ("brain", "tumour"):
        check = f"psnr_gain_{place}_db"
        target = float(getattr(targets, check))
        reason = (
            f"the decoder must use its code: {target:g} dB is {100 * (1 - 10 ** (-target / 10)):.0f} % less "
            "squared error than what it draws from a code that says nothing"
        )
        title = f"Sharpness: least PSNR gain in the {place}"
        found.append(_at_least(check, title, least_gain(report, place), target, reason, "dB"))
    return found


def _coverage(report: Mapping[str, Any], shortfall: float) -> Verdict:
    reason = f"an interval that holds less often than it says, by more than {shortfall:g}, makes growth look certain"
    title, found = "Intervals: least coverage of a feature", interval_coverage(report)
    if found.value is None:
        return Verdict("coverage_shortfall", title, found, None, True, "", "missing", reason)
    return _at_least("coverage_shortfall", title, found, report["coverage"]["level"] - shortfall, reason)


def _leakage(report: Mapping[str, Any], target: float) -> Verdict:
    return _at_most(
        "leakage_excess",
        "Leakage: largest excess R²",
        largest_leak(report),
        target,
        "what a partition tells of another's feature, beyond what its own features tell of it, is counted twice "
        "by a model of both",
    )


def _validation(history: pd.DataFrame | None, target: float) -> Verdict:
    return _at_most(
        "validation_loss_given_back",
        "Training: share of the validation loss's fall given back",
        loss_given_back(history),
        target,
        "a validation loss that rises again says that the training learned its scans by heart",
    )
