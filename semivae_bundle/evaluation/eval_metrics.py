"""metrics.json -> the few numbers for the `eval_metrics` of a metadata.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semivae_bundle.data.subjects import MODALITIES


def eval_metrics(report: Mapping[str, Any], *, digits: int = 3) -> dict[str, float]:
    """By name, rounded to `digits`; what the evaluation lacks is left out, as metadata holds numbers only."""
    parts, image = report["partitions"], report["image"]
    coverage = [one["coverage"] for one in report.get("coverage", {}).get("features", {}).values()]
    gains = [image[modality]["psnr_gain_brain_db"]["value"] for modality in MODALITIES]
    found = {
        "mean_r2": report["mean_r2"]["value"],
        **{f"{name}_mean_r2": part["mean_r2"]["value"] for name, part in parts.items() if part["mean_r2"]},
        "residual_active_fraction": parts.get("residual", {}).get("active_fraction"),
        "largest_correlation": report["independence"]["max_abs_correlation"],
        "largest_distance_correlation": report["independence"]["max_distance_correlation"],
        "dice_total": report["tumour_map"]["dice"]["total"]["value"],
        "segmentation_dice_total": report["tumour_map"]["segmentation"]["dice"]["total"]["value"],
        "least_psnr_gain_brain_db": None if None in gains else min(gains),
        "least_interval_coverage": min((one for one in coverage if one is not None), default=None),
    }
    return {name: round(value, digits) for name, value in found.items() if value is not None}
