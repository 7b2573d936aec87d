"""Two evaluations of the same subjects, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.report_page import read_metrics, read_predictions
from semivae_bundle.features.schema import Feature, feature_of

# Targets are kept in single precision, standardised by each run's own numbers: measured values agree to less than this
# share of their spread, and never to the last digit.
SAME = 1e-3
ROUNDING = 1e-5  # and where they vary little or not at all to less than this share of their size, or of 1 below it
NAMED = 5


@dataclass(frozen=True)
class PairedRuns:
    """Measured values and two runs' predictions (n, F) of the same subjects, in the units of the features table (`ln`
    of volumes) and, `physical_` before the name, in those of predictions.csv. NaN where a scan lacks the feature.
    `features` with their `partitions`; `left_out`: features that only one run has.
    """

    subjects: tuple[str, ...]
    patients: tuple[str, ...]
    features: tuple[Feature, ...]
    partitions: tuple[str, ...]
    left_out: tuple[str, ...]
    measured: FloatArray
    first: FloatArray
    second: FloatArray
    physical_measured: FloatArray
    physical_first: FloatArray
    physical_second: FloatArray


def read_paired_runs(first: Path, second: Path) -> tuple[PairedRuns, Mapping[str, Any], Mapping[str, Any]]:
    """The runs of two folders with metrics.json and predictions.csv, and both reports.

    Raises FileNotFoundError where one lacks a file; ValueError where subjects, patients or measured values differ, or
    all predictions are the same.
    """
    reports = [read_metrics(folder) for folder in (first, second)]
    tables = [read_predictions(folder / "predictions.csv") for folder in (first, second)]
    names = [list(report["features"]) for report in reports]
    runs = paired_runs(tables[0], tables[1], names[0], names[1], reports[0]["features"])
    if np.array_equal(runs.physical_first, runs.physical_second, equal_nan=True):
        raise ValueError(
            f"compare: expected two runs, found the same predictions in {first} and {second}: one is a copy of the "
            "other, or the same weights evaluated again; give the folder of the other run"
        )
    return runs, reports[0], reports[1]


def paired_runs(
    first: pd.DataFrame,
    second: pd.DataFrame,
    first_features: Sequence[str],
    second_features: Sequence[str],
    of_features: Mapping[str, Any],
) -> PairedRuns:
    """Two tables of predictions, by subject -> the features that both have, in the order of the first.

    `of_features`: the section features of metrics.json, which names each feature's partition.
    """
    second = second.loc[_same_subjects(first, second)]
    _same_patients(first, second)
    common = [name for name in first_features if name in second_features]
    if not common:
        raise ValueError(
            f"compare: expected a feature that both runs have, found {list(first_features)} and {list(second_features)}"
        )
    features = tuple(feature_of(name) for name in common)
    _same_measured(first, second, features)
    physical = [_columns(first, features, "measured"), _columns(first, features, "predicted")]
    physical.append(_columns(second, features, "predicted"))
    known = np.isfinite(physical[0])
    physical = [np.where(known, values, np.nan) for values in physical]
    return PairedRuns(
        subjects=tuple(map(str, first.index)),
        patients=tuple(map(str, first["patient"])),
        features=features,
        partitions=tuple(str(of_features[name]["partition"]) for name in common),
        left_out=tuple(sorted(set(first_features) ^ set(second_features))),
        measured=in_table_units(physical[0], features),
        first=in_table_units(physical[1], features),
        second=in_table_units(physical[2], features),
        physical_measured=physical[0],
        physical_first=physical[1],
        physical_second=physical[2],
    )


def in_table_units(physical: FloatArray, features: Sequence[Feature]) -> FloatArray:
    """(n, F) of predictions.csv -> what the network learned, but for constants: ln(v + 1) of volumes and surfaces.

    Places stay in mm from the centre: R² does not know the difference.
    """
    values = physical.copy()
    for f, feature in enumerate(features):
        if feature.unit.startswith("ln"):
            values[:, f] = np.log1p(physical[:, f])
    return values


def _columns(table: pd.DataFrame, features: Sequence[Feature], what: str) -> FloatArray:
    return table[[f"{what}_{feature.physical_column}" for feature in features]].to_numpy(dtype=np.float64)


def _same_subjects(first: pd.DataFrame, second: pd.DataFrame) -> list[Any]:
    alone = [sorted(set(one.index) - set(other.index)) for one, other in ((first, second), (second, first))]
    if any(alone):
        found = "; ".join(
            f"{len(names)} only in the {which} ({', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''})"
            for which, names in zip(("first", "second"), alone, strict=True)
            if names
        )
        raise ValueError(
            f"compare: expected the same subjects in both runs, found {found}; "
            "evaluate both on one split of one cohort, with the same --seed and --split_fractions"
        )
    return list(first.index)


def _same_patients(first: pd.DataFrame, second: pd.DataFrame) -> None:
    differ = first.index[first["patient"].to_numpy() != second["patient"].to_numpy()]
    if len(differ):
        name = differ[0]
        raise ValueError(
            f"compare: expected each subject to be of the same patient in both runs, found {name} of "
            f"{first['patient'][name]!r} and of {second['patient'][name]!r}; evaluate both on one cohort.json"
        )


def _same_measured(first: pd.DataFrame, second: pd.DataFrame, features: Sequence[Feature]) -> None:
    values = [in_table_units(_columns(table, features, "measured"), features) for table in (first, second)]
    for f, feature in enumerate(features):
        a, b = values[0][:, f], values[1][:, f]
        known = np.isfinite(a)
        spread, size = (float(a[known].std()), float(np.abs(a[known]).max())) if known.any() else (0.0, 0.0)
        allowed = max(SAME * spread, ROUNDING * max(size, 1.0))
        differ = (known != np.isfinite(b)) | (np.abs(a - b) > allowed)
        if differ.any():
            row = int(np.flatnonzero(differ)[0])
            column = f"measured_{feature.physical_column}"
            raise ValueError(
                f"compare: {first.index[row]}: expected the same {column} in both runs, found "
                f"{first[column].iloc[row]:g} and {second[column].iloc[row]:g}; the masks or the grid were others, so "
                "the errors say nothing of the networks: evaluate both on the same features.csv"
            )
