"""The figures that verdicts are about, read from metrics.json, each with its bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.page_numbers import number
from semivae_bundle.evaluation.verdict import Bounded
from semivae_bundle.evaluation.verdict_bounds import (
    correlation_bounds,
    largest_bounds,
    least_estimate_bounds,
    least_share_bounds,
    r2_error,
)

Report = Mapping[str, Any]


def missing(why: str) -> Bounded:
    """No figure, and why."""
    return Bounded(None, None, None, why)


def residual_use(report: Report) -> Bounded:
    """Share of the residual's dimensions that are active."""
    part = report["partitions"].get("residual")
    if part is None:
        return missing("the code has no residual")
    interval = report.get("latent_intervals", {}).get("active_fraction", {}).get("residual", {})
    note = f"{part['active_units']} of {part['dimensions']} dimensions"
    return Bounded(part["active_fraction"], interval.get("low"), interval.get("high"), note)


def feature_r2(report: Report, partition: str) -> Bounded:
    """Mean R² of a partition's features."""
    mean = report["partitions"].get(partition, {}).get("mean_r2")
    if mean is None or mean["value"] is None:
        return missing("no feature of this partition has an R²: too few labelled subjects, or none asked for")
    known = {
        name: figures["r2"]["value"]
        for name, figures in report["features"].items()
        if figures["partition"] == partition and figures["r2"]["value"] is not None
    }
    worst, best = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    note = f"{known[worst]:.2f} ({worst}) to {known[best]:.2f} ({best})" if worst != best else worst
    return Bounded(mean["value"], mean["low"], mean["high"], note)


def largest_correlation(report: Report) -> Bounded:
    """Largest |r| between active dimensions of two partitions."""
    section = report["independence"]
    value, count = section["max_abs_correlation"], section.get("correlations")
    if value is None or report["subjects"]["patients"] < 3:
        return missing("fewer than three patients, or one partition")
    if count is None:
        return Bounded(
            value, None, None, "its interval needs a new evaluation: these numbers are of an earlier version"
        )
    level, patients = report["intervals"]["level"], report["subjects"]["patients"]
    low, high = correlation_bounds(value, count, patients, level) or (None, None)
    pair = max(section["pairs"], key=lambda name: section["pairs"][name]["max_abs_correlation"])
    chance = section["pairs"][pair]["chance_level"]
    by_chance = "" if chance is None else f", by chance {chance:.2f}"
    return Bounded(value, low, high, f"{pair}{by_chance}; the largest of {count} correlations")


def distance_correlation(report: Report) -> Bounded:
    """Largest distance correlation between two partitions."""
    pairs = {
        name: figures
        for name, figures in report["independence"]["pairs"].items()
        if figures["distance_correlation"] is not None
    }
    if not pairs:
        return missing("fewer than four patients, or one partition")
    worst = max(pairs, key=lambda name: pairs[name]["distance_correlation"])
    errors = report.get("latent_intervals", {}).get("distance_correlation", {})
    known = [one for one in errors.values() if one["squared"] is not None]
    found = largest_bounds(
        [one["squared"] for one in known], [one["standard_error"] for one in known], report["intervals"]["level"]
    )
    low, high = (None, None) if found is None else (float(np.sqrt(np.clip(bound, 0, 1))) for bound in found)
    return Bounded(pairs[worst]["distance_correlation"], low, high, f"{worst}, p = {pairs[worst]['p_value']:.3f}")


def decoded_dice(report: Report) -> Bounded:
    """Dice of the whole tumour as decoded."""
    dice = report["tumour_map"]["dice"]
    found = dice["total"]
    if found["value"] is None:
        return missing("no labelled subject with a tumour")
    parts = [f"{region} {number(one['value'])}" for region, one in dice.items() if region != "total"]
    return Bounded(found["value"], found["low"], found["high"], f"its parts: {', '.join(parts)}")


def least_gain(report: Report, place: str) -> Bounded:
    """PSNR above that of the zero code, of the modality that gains least."""
    found = {modality: report["image"][modality][f"psnr_gain_{place}_db"] for modality in MODALITIES}
    known = {modality: one for modality, one in found.items() if one["value"] is not None}
    if not known:
        return missing(f"no subject with a {place} to measure it in")
    worst = min(known, key=lambda modality: known[modality]["value"])
    bounded = [(one["value"], one["low"], one["high"]) for one in known.values() if one["low"] is not None]
    low, high = least_estimate_bounds(bounded, report["intervals"]["level"]) or (None, None)
    return Bounded(known[worst]["value"], low, high, worst)


def interval_coverage(report: Report) -> Bounded:
    """Coverage of the feature whose interval holds least often; no bounds where these scans were calibrated on."""
    section = report.get("coverage")
    if section is None:
        return missing("no calibration was given: run calibrate and pass --calibration_file")
    known = {name: one for name, one in section["features"].items() if one["coverage"] is not None}
    if not known:
        return missing("no feature has an interval and a labelled scan")
    worst = min(known, key=lambda name: known[name]["coverage"])
    value, stated = known[worst]["coverage"], f"{worst}; stated {section['level']:.2f}"
    if not section["independent"]:
        return Bounded(value, None, None, f"{stated}; calibrated on these very scans, so it is no evidence")
    counts = [(round(one["coverage"] * one["scans"]), one["scans"]) for one in known.values()]
    low, high = least_share_bounds(counts, section["interval_level"]) or (None, None)
    return Bounded(value, low, high, f"{stated}, {known[worst]['scans']} scans")


def largest_leak(report: Report) -> Bounded:
    """Largest R² of a feature from a partition that does not claim it, above what that partition's features tell."""
    section = report.get("leakage", {"missing": "metrics.json is older than this section"})
    if "table" not in section:
        return missing(section["missing"])
    rows = [row for row in section["table"] if row["excess"] is not None and row["r2"] is not None]
    if not rows:
        return missing("no feature that could leak")
    of_all = report["disentanglement"]["measured_features"]["patients"]
    errors = [_excess_error(row, row.get("patients", of_all)) for row in rows]
    low, high = largest_bounds([row["excess"] for row in rows], errors, report["intervals"]["level"]) or (None, None)
    worst = max(rows, key=lambda row: row["excess"])
    return Bounded(worst["excess"], low, high, f"{worst['feature']} from {worst['partition']}, {worst['model']}")


def _excess_error(row: Mapping[str, Any], patients: int) -> float:
    """Standard error of a difference of two R² of the `patients` who have the feature, as if of others."""
    return math.hypot(r2_error(row["r2"], patients), r2_error(row["r2_of_its_features"] or 0.0, patients))
