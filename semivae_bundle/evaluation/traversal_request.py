"""What a traversal asks of one head, step by step: a physical range -> normalised values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.traversal_options import TraversalOptions
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import feature_of

HELD_FIXED = (
    "all other heads' normalised predictions; in the nearest direction also the part of the code that no head reads, "
    "which in the usual direction goes as it does in the cohort. A shape is residualised on the volume: while the "
    "volume moves, the raw shape that is asked for moves along the cohort's regression; while a shape moves, the "
    "volume that its regression is added back with is the predicted one, and stays"
)


def compared_in(column: str) -> str:
    """What requested and obtained values of a column are compared in: "ln mm3", "mm" or "normalised"."""
    feature = feature_of(column)
    if feature.axis is not None:
        return "mm"
    return "ln mm3" if feature.partition == "vol" else "normalised"


def positions(columns: Sequence[str], normalizer: Normalizer) -> list[int]:
    """Where the columns stand among the targets; a ValueError names those that are none."""
    unknown = [column for column in columns if column not in normalizer.columns]
    if unknown:
        raise ValueError(
            f"traversal_features: expected targets of the network, {list(normalizer.columns)}, found {unknown}; "
            "leave them out with --traversal_features"
        )
    return [normalizer.columns.index(column) for column in columns]


def central_ranges(
    features: pd.DataFrame, splits: Mapping[str, Sequence[str]], normalizer: Normalizer, share: float
) -> FloatArray:
    """The central `share` of the labelled training subjects' normalised values: (F, 2); NaN for a feature of none."""
    values, present = normalizer.transform(features.loc[sorted(set(splits["train"]) & set(features.index))])
    tails = [(1 - share) / 2, (1 + share) / 2]
    columns = [values[present[:, f], f].astype(np.float64) for f in range(values.shape[1])]
    return np.array([np.quantile(column, tails) if column.size else (np.nan, np.nan) for column in columns])


def requested_values(
    predicted: FloatArray, position: int, normalizer: Normalizer, options: TraversalOptions, central: FloatArray
) -> FloatArray:
    """Normalised values (steps,) to ask of the head at `position`, from its scan's predictions (F,), ascending.

    `central` (F, 2) from `central_ranges`. Physical ranges start from the prediction, not from a measurement: so a
    scan without a mask can be traversed, and an error of the head is no part of the result.
    """
    scale = normalizer.scales[position]
    feature, raw = feature_of(scale.column), float(normalizer.inverse(predicted[None])[0, position])
    # What the regression adds; its regressor is another feature, which is not moved.
    added = raw - scale.std * float(predicted[position])
    unit = compared_in(scale.column)
    if unit == "mm":
        reach = options.location_mm / normalizer.fov_mm[feature.axis or 0]
        table = raw + np.linspace(-reach, reach, options.steps)
    elif unit == "ln mm3":
        # A volume at or below nothing, which an untrained head may say, has no multiples.
        volume_mm3 = max(float(np.expm1(raw)), 1.0)
        factors = np.geomspace(1 / options.volume_factor, options.volume_factor, options.steps)
        table = np.log1p(volume_mm3 * factors)
    else:
        low, high = central[position].tolist()
        return np.linspace(low, high, options.steps)
    return np.asarray((table - added) / scale.std)
