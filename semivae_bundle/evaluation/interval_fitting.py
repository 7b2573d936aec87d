"""Results on the calibration split -> the width of each feature's interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from semivae_bundle.evaluation.calibration import FeatureCalibration, difficulty
from semivae_bundle.evaluation.conformal import FloatArray, TooFewScans, check_level, conformal_quantile, drawn_scans
from semivae_bundle.evaluation.difficulty_exponents import require_exponents
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import feature_of


def fit_intervals(
    results: Results, normalizer: Normalizer, *, level: float, exponents: Mapping[str, float], seed: int
) -> tuple[FeatureCalibration, ...]:
    """One record per feature, in the normalizer's order; `exponents`: partition -> exponent of
    `difficulty`; an entry for a column goes before that of its partition.

    Scores are |measured - predicted| / difficulty of what is reported, in the table's units: a shape is compared after
    its regression was added back with the volume that was *predicted*, as at inference, so the volume's error is in it.
    Scans without the region are left out. Raises TooFewScans where no feature has enough.
    """
    check_level(level, "--calibration_level")
    require_exponents(exponents, normalizer.partitions)
    predicted, measured = normalizer.inverse(results.predicted), normalizer.inverse(results.target)
    features = tuple(
        _fit_feature(f, results, normalizer, predicted, np.abs(measured - predicted)[:, f], level, exponents, seed)
        for f in range(len(normalizer.scales))
    )
    if all(feature.quantile is None for feature in features):
        raise TooFewScans(f"calibration: no feature has enough scans; {features[0].column}: {features[0].reason}")
    return features


def _fit_feature(
    f: int,
    results: Results,
    normalizer: Normalizer,
    predicted: FloatArray,
    error: FloatArray,
    level: float,
    exponents: Mapping[str, float],
    seed: int,
) -> FeatureCalibration:
    scale = normalizer.scales[f]
    volume, reference = volume_of(scale.column, normalizer)
    exponent = float(exponents.get(scale.column, exponents[scale.partition]))
    ln_volume = None if volume is None else predicted[:, normalizer.columns.index(volume)]
    score = error / difficulty(ln_volume, reference, exponent, len(error))
    rows = drawn_scans(results.patients, results.present[:, f], seed)
    quantile, reason = None, None
    try:
        quantile = conformal_quantile(score[rows], level)
    except TooFewScans as problem:
        reason = str(problem)
    return FeatureCalibration(
        scale.column, feature_of(scale.column).unit, quantile, len(rows), exponent, volume, reference, reason
    )


def volume_of(column: str, normalizer: Normalizer) -> tuple[str | None, float]:
    """The target that tells how large the column's region is, and its usual value: ln(mm³ + 1), the training mean, for
    a volume with a regression what that says at the usual value of its regressor.

    The region's own volume, else that of the whole tumour, else (None, 0).
    """
    usual = normalizer.inverse(np.zeros((1, len(normalizer.columns))))[0]
    for name in (f"vol_{feature_of(column).region}", "vol_total"):
        if name in normalizer.columns:
            return name, float(usual[normalizer.columns.index(name)])
    return None, 0.0
