"""Features in their units <-> the standardised targets that the network learns, and back to physical units.

For each target column: an optional regression on another column is taken away (`surface` is almost a function of
`vol`), then a mean; then it is divided by a standard deviation. What is absent is masked, never guessed. `fitting.py`
finds the numbers; `normalizer.json` says which split, features, schema and package they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.polynomial.polynomial import polyval
from numpy.typing import ArrayLike, NDArray

from semivae_bundle import __version__
from semivae_bundle.data.files import read_record, write_json_atomically
from semivae_bundle.features.schema import SCHEMA_VERSION, SENTINEL, feature_of, physical_table, presence_column

FORMAT = "semivae-normalizer/1"
REFIT = "refit with: python -m monai.bundle run precompute --config_file configs/train.json --dataset_dir DIR"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ColumnScale:
    """How one target column is standardised: z = (v - Σ_k coefficients[k] r^k - mean) / std, r the column `regressor`.

    `subjects` is the number of training subjects behind it. Without a regressor the sum is left out.
    """

    column: str
    partition: str
    mean: float
    std: float
    subjects: int
    regressor: str | None = None
    coefficients: tuple[float, ...] = ()


@dataclass(frozen=True)
class Normalizer:
    """Standardises the target columns, and says what it was fitted on. Plain numbers: see `to_json`."""

    scales: tuple[ColumnScale, ...]
    degree: int
    fov_mm: tuple[float, ...]
    split_sha256: str
    features_sha256: str
    schema_version: int = SCHEMA_VERSION
    package_version: str = __version__

    @property
    def columns(self) -> tuple[str, ...]:
        """Target columns in the order of the values, partition by partition."""
        return tuple(scale.column for scale in self.scales)

    @property
    def fitted_on(self) -> str:
        """Names the division of the cohort and the measurements: what a training with this normalizer is made for."""
        return self.split_sha256 + self.features_sha256

    @property
    def partitions(self) -> dict[str, list[int]]:
        """Partition -> the places of its features among the columns, for partitions that have any."""
        places: dict[str, list[int]] = {}
        for place, scale in enumerate(self.scales):
            places.setdefault(scale.partition, []).append(place)
        return places

    def transform(self, features: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Table rows -> standardised values (n, f) and where they are present (n, f); absent values are 0.

        A row of NaN, as `features.reindex(subjects)` gives for an unlabelled subject, is absent throughout.
        """
        values = np.zeros((len(features), len(self.scales)), dtype=np.float32)
        present = np.zeros(values.shape, dtype=np.bool_)
        for position, scale in enumerate(self.scales):
            raw, known = present_values(features, scale.column)
            if scale.regressor is not None:
                regressor, regressor_known = present_values(features, scale.regressor)
                known = known & regressor_known
                raw = raw - polyval(regressor, scale.coefficients)
            values[known, position] = (raw[known] - scale.mean) / scale.std
            present[:, position] = known
        return values, present

    def inverse(self, values: ArrayLike) -> FloatArray:
        """Standardised values (n, f) -> values in the table's units (n, f), float64.

        A regression is added back with the row's own regressor: a predicted shape goes with the predicted volume.
        """
        standardised = np.asarray(values, dtype=np.float64)
        if standardised.ndim != 2 or standardised.shape[1] != len(self.scales):
            raise ValueError(f"values: expected (n, {len(self.scales)}) for {self.columns}, found {standardised.shape}")
        raw = standardised * [scale.std for scale in self.scales] + [scale.mean for scale in self.scales]
        for position, scale in enumerate(self.scales):
            if scale.regressor is not None:
                raw[:, position] += polyval(raw[:, self.columns.index(scale.regressor)], scale.coefficients)
        return raw

    def standardise(self, raw: FloatArray) -> FloatArray:
        """The inverse of `inverse`: values (n, f) in the table's units, all of them present -> standardised ones."""
        standardised = np.array(raw, dtype=np.float64)
        for position, scale in enumerate(self.scales):
            if scale.regressor is not None:
                standardised[:, position] -= polyval(raw[:, self.columns.index(scale.regressor)], scale.coefficients)
        return (standardised - [scale.mean for scale in self.scales]) / [scale.std for scale in self.scales]

    def physical_table(self, values: ArrayLike, subjects: Sequence[str] | None = None) -> pd.DataFrame:
        """Standardised values (n, f) -> physical ones, the unit in the column name: mm3, mm2, mm from the centre."""
        index = None if subjects is None else pd.Index(subjects, name="subject")
        table = pd.DataFrame(self.inverse(values), columns=list(self.columns), index=index)
        return physical_table(table, self.fov_mm)

    def possible_table(self, values: ArrayLike, subjects: Sequence[str] | None = None) -> pd.DataFrame:
        """`physical_table` with every value cut to what its feature's definition allows, for a person to read.

        A head may say a little more: a volume below 0, a sphericity above 1. Errors and R² are of values as they are.
        """
        table = self.physical_table(values, subjects)
        for feature in map(feature_of, self.columns):
            table[feature.physical_column] = table[feature.physical_column].clip(*feature.physical_range)
        return table

    def mirror(self, axis: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(scale (f,), offset (f,)) such that the image flipped along `axis` has the values scale * values + offset."""
        if axis not in (0, 1, 2):
            raise ValueError(f"axis: expected 0, 1 or 2 (x, y, z), found {axis!r}")
        flipped = np.array([feature_of(column).axis == axis for column in self.columns])
        mean, std = np.array([(scale.mean, scale.std) for scale in self.scales]).T
        # A flip takes the location v to 1 - v.
        offset = np.where(flipped, (1 - 2 * mean) / std, 0.0)
        return np.where(flipped, -1.0, 1.0).astype(np.float32), offset.astype(np.float32)

    def to_json(self, normalizer_file: str | Path) -> None:
        """Write atomically as readable JSON."""
        write_json_atomically(Path(normalizer_file), {"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, normalizer_file: str | Path) -> Normalizer:
        """Read what `to_json` wrote; raises where the file is missing, no normalizer, or of another schema version."""
        path = Path(normalizer_file)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no normalizer; {REFIT}")
        content = read_record(path, REFIT, f"a file of format {FORMAT!r}")
        names = {field.name for field in fields(cls)}
        if content.get("format") != FORMAT or not names <= set(content):
            raise ValueError(f"{path}: expected a file of format {FORMAT!r} with the fields {sorted(names)}; {REFIT}")
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(
                f"{path}: fitted under feature schema version {content['schema_version']} by package "
                f"{content['package_version']}, this package has schema version {SCHEMA_VERSION}; {REFIT}"
            )
        try:
            scales = tuple(
                ColumnScale(**{**scale, "coefficients": tuple(scale["coefficients"])}) for scale in content["scales"]
            )
        except (KeyError, TypeError) as error:
            told = [field.name for field in fields(ColumnScale)]
            raise ValueError(f"{path}: expected scales with {', '.join(told)}, found {error}; {REFIT}") from error
        plain = {name: content[name] for name in names}
        return cls(**{**plain, "scales": scales, "fov_mm": tuple(content["fov_mm"])})


def present_values(features: pd.DataFrame, column: str) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Values of one column (n,) in the table's units, and where its region is present (n,); values elsewhere are 0.

    ValueError for a present region without a number, which no measurement gives.
    """
    presence = presence_column(column)
    missing = [name for name in (column, presence) if name not in features.columns]
    if missing:
        raise ValueError(f"features: the columns {missing} are missing; pass a table made by `precompute`")
    values = features[column].to_numpy(dtype=np.float64)
    present = features[presence].to_numpy(dtype=np.float64) == 1
    if (damaged := present & (~np.isfinite(values) | (values == SENTINEL))).any():
        raise ValueError(
            f"features: {list(features.index[damaged][:3])}: {presence} is 1 and {column} is {values[damaged][0]}, so "
            "the table is damaged or was edited; remove these rows and run `precompute` again"
        )
    return np.where(present, values, 0.0), present
