"""Scans of a split read again and again, each time changed by simulation: a table, repeatability.json, a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import Randomizable
from torch import nn

from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.data.wording import not_whole
from semivae_bundle.evaluation.bootstrap import METHOD, FloatArray, patient_resamples
from semivae_bundle.evaluation.figure_repeatability import repeatability_figure
from semivae_bundle.evaluation.figure_style import save_figure
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.predictions import latent_columns
from semivae_bundle.evaluation.repeatability import Repeatability, repeatability
from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.summary_table import aligned
from semivae_bundle.evaluation.traversal_encoding import encode_scans
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import feature_of
from semivae_bundle.networks.partition import partition_slices

SCHEMA = "semivae-repeatability/1"


@dataclass(frozen=True)
class RepeatedScans(Sequence[Mapping[str, Any]]):
    """The first `scans` of a dataset that makes its scans anew at every access, each `repeats` times in a row."""

    dataset: Sequence[Mapping[str, Any]]
    scans: int
    repeats: int

    def __len__(self) -> int:
        return min(self.scans, len(self.dataset)) * self.repeats

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[index // self.repeats]


def write_repeatability(
    dataset: Sequence[Mapping[str, Any]],
    randomness: Randomizable,
    changes: Any,
    meaning: str,
    network: nn.Module,
    normalizer: Normalizer,
    partition: Mapping[str, int],
    patients: Mapping[str, str],
    scans: int,
    repeats: int,
    intervals: Intervals,
    folder: str | Path,
    provenance: Mapping[str, Any],
    progress: bool,
) -> None:
    """Encode each of the first `scans` scans `repeats` times and write how far what comes out agrees.

    `dataset`: changes a scan's appearance whenever it is read, and nothing of its tumour; `randomness`: what seeds it;
    `changes`: how the report names what changes; `meaning`: what such repeats are, in words that stand above the table.
    `network`: SemiVAE with its weights, in evaluation mode. Ends the command with a message for fewer than two scans or
    repeats.
    """
    problems = [not_whole("repeated_scans", scans, 2), not_whole("repeats", repeats, 2)]
    if any(problems):
        raise SystemExit(f"repeating: {'; '.join(filter(None, problems))}")
    found = min(scans, len(dataset))
    if found < 2:
        raise SystemExit(f"repeating: expected at least 2 scans, found {found}; see --evaluate_split")
    randomness.set_random_state(seed=intervals.seed)
    encoded = encode_scans(RepeatedScans(dataset, found, repeats), network, found * repeats, progress=progress)
    owners = [patients.get(scan, scan) for scan in encoded.scans[::repeats]]
    counts = patient_resamples(owners, intervals.resamples, intervals.seed)

    def measured(values: FloatArray, names: Sequence[str]) -> dict[str, Repeatability]:
        repeated = values.reshape(found, repeats, -1)
        return dict(zip(names, repeatability(repeated, counts, intervals.level), strict=True))

    features = measured(readable_features(encoded.predicted, normalizer), normalizer.columns)
    dimensions = measured(encoded.codes, latent_columns(partition))
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "provenance": provenance,
        "scans": found,
        "patients": len(set(owners)),
        "repeats": repeats,
        "changes": changes,
        "meaning": meaning,
        "intervals": {"method": METHOD, "level": intervals.level, "resamples": intervals.resamples},
        "features": {name: {"unit": readable_unit(name), **plain(one)} for name, one in features.items()},
        "partitions": partition_summary(dimensions, partition),
        "dimensions": dimensions,
    }
    report = dict(plain(report))
    folder = Path(folder)
    write_json_atomically(folder / "repeatability.json", report)
    picture = save_figure(repeatability_figure(report), folder / "repeatability.png")
    print(repeatability_table(report))
    print(f"\nwritten: {folder / 'repeatability.json'} and {picture}")


def readable_unit(column: str) -> str:
    """Of `readable_features`: mm for a place, ln for volume and surface, where 0.1 is about 10 %, "1" for a ratio."""
    feature = feature_of(column)
    if feature.axis is not None:
        return "mm"
    return "ln" if feature.unit.startswith("ln") else "1"


def readable_features(predicted: FloatArray, normalizer: Normalizer) -> FloatArray:
    """Predictions (n, F) in normalised units -> in those of `readable_unit`: errors of equal size mean the same for a
    small tumour as for a large one.
    """
    features = [feature_of(column) for column in normalizer.columns]
    length = [1.0 if feature.axis is None else normalizer.fov_mm[feature.axis] for feature in features]
    return normalizer.inverse(predicted) * np.array(length)


def partition_summary(
    dimensions: Mapping[str, Repeatability], partition: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """Of each partition: share of its variance that lies between scans, all dimensions together, and the least and the
    median ICC of one.
    """
    every = list(dimensions.values())
    summary = {}
    for name, part in partition_slices(partition).items():
        within = sum(one.within_sd.value**2 for one in every[part])
        between = sum(one.between_sd**2 for one in every[part])
        icc = np.array([one.icc.value for one in every[part]])
        known = icc[np.isfinite(icc)]
        least, median = (float(known.min()), float(np.median(known))) if known.size else (float("nan"), float("nan"))
        whole = between + within
        summary[name] = {
            "share_between": between / whole if whole else float("nan"),
            "least_icc": least,
            "median_icc": median,
        }
    return summary


def repeatability_table(report: Mapping[str, Any]) -> str:
    """For a person at a terminal; the content of repeatability.json."""

    def figure(value: float | None, digits: str = ".2f") -> str:
        return "-" if value is None else format(value, digits)

    rows = [["feature", "unit", "within a scan", "two repeats differ by less than", "between", "ICC"]]
    for name, one in report["features"].items():
        icc = one["icc"]
        interval = "" if icc["low"] is None else f" [{icc['low']:.2f}, {icc['high']:.2f}]"
        deviations = [figure(value, ".3g") for value in (one["within_sd"]["value"], one["coefficient"])]
        between = figure(one["between_sd"], ".3g")
        rows.append([name, one["unit"], *deviations, between, figure(icc["value"]) + interval])
    parts = [["partition", "share between scans", "median ICC", "least ICC"]]
    for name, one in report["partitions"].items():
        parts.append([name, *(figure(one[key]) for key in ("share_between", "median_icc", "least_icc"))])
    head = f"{report['scans']} scans of {report['patients']} patients, {report['repeats']} repeats each"
    return "\n\n".join([f"{head}\n{report['meaning']}", aligned(rows), aligned(parts)])
