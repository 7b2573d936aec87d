"""Predictions and a calibration -> lower and upper bounds in physical units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import feature_of


def interval_table(
    predicted: ArrayLike, normalizer: Normalizer, calibration: Calibration, subjects: Sequence[str] | None = None
) -> pd.DataFrame:
    """<feature>_<unit>_lower and _upper for standardised predictions (n, F); NaN where a feature is not calibrated.

    Bounds are taken in the table's units and carried over by the same increasing map as the prediction itself, which
    changes neither what they cover nor how often; then cut to what the definition of the feature allows, which takes
    away only values that cannot occur. NaN also where nothing of the interval can.
    """
    centre = normalizer.inverse(predicted)
    half = calibration.half_widths(centre)
    columns = {}
    for f, column in enumerate(normalizer.columns):
        feature = feature_of(column)
        least, greatest = feature.physical_range
        lower, upper = (feature.to_physical(centre[:, f] + sign * half[:, f], normalizer.fov_mm) for sign in (-1, 1))
        possible = (upper > least) & (lower < greatest)
        for name, bound in (("lower", lower), ("upper", upper)):
            cut = np.where(possible, np.clip(bound, least, greatest), np.nan)
            columns[f"{feature.physical_column}_{name}"] = cut
    return pd.DataFrame(columns, index=None if subjects is None else pd.Index(subjects, name="subject"))
