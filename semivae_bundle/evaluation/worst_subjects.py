"""The subjects that the network reads worst: where to look first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.features.schema import Feature, feature_of


@dataclass(frozen=True)
class WorstSubject:
    """`times_usual` is its mean error over features, each in units of that feature's mean absolute error; `feature` is
    the one farthest off, `measured` and `predicted` its values in `unit`.
    """

    subject: str
    times_usual: float
    feature: str
    feature_times_usual: float
    measured: float
    predicted: float
    unit: str
    scores: Mapping[str, float]


def worst_subjects(
    report: Mapping[str, Any], predictions: pd.DataFrame, *, count: int, scores: tuple[str, ...]
) -> list[WorstSubject]:
    """The `count` labelled subjects with the largest errors, worst first; ties in the order of the table.

    `predictions` is predictions.csv by subject, `scores` names columns of it to quote. Volumes and surfaces err in
    logarithms, as the network learned them; else the largest tumours would be the worst by their size.
    """
    known = [name for name in report["features"] if f"measured_{feature_of(name).physical_column}" in predictions]
    if not known or not count:
        return []
    errors = np.stack([_times_usual(name, report, predictions) for name in known], axis=1)
    judged = np.flatnonzero(np.isfinite(errors).any(axis=1))
    mean = np.nanmean(errors[judged], axis=1)
    order = judged[np.argsort(-mean, kind="stable")][:count]
    return [_worst(row, errors[row], known, predictions, scores) for row in order]


def _times_usual(name: str, report: Mapping[str, Any], predictions: pd.DataFrame) -> FloatArray:
    """Absolute error of each subject over the mean one; NaN where the feature isn't measured."""
    feature, figures = feature_of(name), report["features"][name]
    measured, predicted = (_table_unit(feature, predictions[column]) for column in _columns(feature))
    # A place is quoted in mm in predictions.csv, so its mean error must be too.
    usual = figures["mae" if feature.axis is not None else "mae_table"]["value"]
    return np.abs(predicted - measured) / usual if usual else np.full(len(predictions), np.nan)


def _columns(feature: Feature) -> tuple[str, str]:
    return f"measured_{feature.physical_column}", f"predicted_{feature.physical_column}"


def _table_unit(feature: Feature, values: pd.Series) -> FloatArray:
    numbers = values.to_numpy(dtype=np.float64)
    return np.log1p(np.maximum(numbers, 0)) if feature.unit.startswith("ln") else numbers


def _worst(
    row: int, errors: FloatArray, known: list[str], predictions: pd.DataFrame, scores: tuple[str, ...]
) -> WorstSubject:
    def value(column: str) -> float:
        return float(predictions[column].to_numpy(dtype=np.float64)[row]) if column in predictions else float("nan")

    farthest = int(np.nanargmax(errors))
    feature = feature_of(known[farthest])
    measured, predicted = _columns(feature)
    return WorstSubject(
        subject=str(predictions.index[row]),
        times_usual=float(np.nanmean(errors)),
        feature=feature.column,
        feature_times_usual=float(errors[farthest]),
        measured=value(measured),
        predicted=value(predicted),
        unit=feature.physical_unit,
        scores={score: value(score) for score in scores},
    )
