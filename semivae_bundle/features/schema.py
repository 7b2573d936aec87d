"""The one place that knows every tumour feature: its name, order, unit, region, partition and physical meaning.

A column of the features table is called `{feature}_{region}`, e.g. `sphericity_core`. The units of the table are chosen
so that a regression behaves: logarithms of volume and surface, fractions of the field of view, ratios. `physical_table`
turns them into what a person reads: mm³, mm², mm from the centre of the field of view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SCHEMA_VERSION = 1
"""Raised whenever a definition below changes, so that tables measured before are measured anew."""

SENTINEL = -10.0
"""What the table holds for a feature of an absent region. It is a mark, never a number to regress on."""

REGION_LABELS: dict[str, tuple[int, ...]] = {"total": (1, 2, 3), "core": (1, 3), "ncr": (1,), "ed": (2,), "et": (3,)}
"""Project labels that make up each region: 1 necrotic core, 2 oedema, 3 enhancing tumour."""

PARTITIONS = ("vol", "loc", "shape")

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """One column of the features table.

    `unit` is the unit in the table and `physical_unit` the one shown to people ("" where both are a pure number).
    `axis` is the axis (0 x, 1 y, 2 z) along which a flip of the image mirrors the value v to 1 - v; None for all
    others, which no flip changes. `partition` is "vol", "loc", "shape" or, for the flag that says whether the region
    exists, "presence".
    """

    name: str
    region: str
    partition: str
    unit: str
    physical_unit: str
    description: str
    axis: int | None = None

    @property
    def column(self) -> str:
        """Name in the features table."""
        return f"{self.name}_{self.region}"

    @property
    def physical_column(self) -> str:
        """Name in a table of physical values: the unit is part of it, e.g. `vol_total_mm3`."""
        return f"{self.column}_{self.physical_unit}" if self.physical_unit else self.column

    @property
    def physical_range(self) -> tuple[float, float]:
        """Least and greatest value in `physical_unit` that the definition allows; a location has no bound."""
        if self.axis is not None:
            return -np.inf, np.inf
        return 0.0, np.inf if self.unit.startswith("ln") else 1.0

    def to_physical(self, values: FloatArray, fov_mm: Sequence[float]) -> FloatArray:
        """Turn values (any shape) in the table's unit into `physical_unit`: exp(v) - 1, or mm from the centre."""
        if self.axis is not None:
            return (values - 0.5) * fov_mm[self.axis]
        return np.expm1(values) if self.unit.startswith("ln") else values


def _features_of(region: str) -> list[Feature]:
    def shape(name: str, description: str) -> Feature:
        return Feature(name, region, "shape", "1", "", description)

    return [
        Feature("vol", region, "vol", "ln(mm³ + 1)", "mm3", "volume by counting voxels on the mask's own grid"),
        *(
            Feature(
                f"loc_{letter}", region, "loc", "fraction of the field of view", "mm", f"centroid along {letter}", axis
            )
            for axis, letter in enumerate("xyz")
        ),
        shape(
            "sphericity", "(36 π V²)^(1/3) / A of the mesh, in (0, 1]; a large voxelised ball has 0.919, see mesh.py"
        ),
        Feature(
            "surface", region, "shape", "ln(mm² + 1)", "mm2", "area of the mesh; a large ball's is 8.8 % too large"
        ),
        shape("solidity", "mesh volume / volume of the convex hull of its vertices, in (0, 1]"),
        shape("aspect_xy", "shorter / longer of the bounding box's sides along x and y, in (0, 1]"),
        shape("aspect_xz", "shorter / longer of the bounding box's sides along x and z, in (0, 1]"),
        shape("aspect_yz", "shorter / longer of the bounding box's sides along y and z, in (0, 1]"),
        shape("elongation", "√(λ_minor / λ_major) of the voxel centres' covariance, in [0, 1]"),
        shape("flatness", "√(λ_least / λ_major) of the voxel centres' covariance, in [0, 1]"),
        Feature("has", region, "presence", "0 or 1", "", "1 where the region has at least one voxel"),
    ]


FEATURES: tuple[Feature, ...] = tuple(feature for region in REGION_LABELS for feature in _features_of(region))
COLUMNS: tuple[str, ...] = tuple(feature.column for feature in FEATURES)
_BY_COLUMN = {feature.column: feature for feature in FEATURES}


def feature_of(column: str) -> Feature:
    """The feature behind a column name; a ValueError names the nearest columns when there is none."""
    if column not in _BY_COLUMN:
        near = get_close_matches(column, COLUMNS, n=3) or [COLUMNS[0], "..."]
        raise ValueError(
            f"unknown feature column {column!r}: expected '<feature>_<region>' with region in {list(REGION_LABELS)}; "
            f"nearest: {near}. All columns stand in semivae_bundle.features.schema.COLUMNS"
        )
    return _BY_COLUMN[column]


def presence_column(column: str) -> str:
    """The column that says whether the region of `column` exists, e.g. `has_core` for `sphericity_core`."""
    return f"has_{feature_of(column).region}"


def physical_table(table: pd.DataFrame, fov_mm: Sequence[float]) -> pd.DataFrame:
    """Every schema column of `table` in physical units, with the unit in the column name; absent features become NaN.

    `table`: (n, f) in the table's units, index kept. Location is in mm from the centre of the field of view, towards
    right, anterior and superior. Predictions and measurements both pass through here, so that they can be subtracted.
    """
    columns = {}
    for column in table.columns:
        if column in _BY_COLUMN:
            feature, values = _BY_COLUMN[column], table[column].to_numpy(dtype=np.float64)
            known = np.where(values == SENTINEL, np.nan, values)
            columns[feature.physical_column] = feature.to_physical(known, fov_mm)
    return pd.DataFrame(columns, index=table.index)
