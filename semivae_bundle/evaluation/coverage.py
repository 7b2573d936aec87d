"""How often the intervals hold the measured value, on scans that they were not made on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binomtest

from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.conformal import FloatArray, conformal_rank, drawn_scans
from semivae_bundle.evaluation.intervals import interval_table
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import feature_of

TERTILES = ("small", "middle", "large")


def coverage_section(
    results: Results,
    normalizer: Normalizer,
    calibration: Calibration,
    provenance: Mapping[str, Any],
    level: float,
    seed: int,
) -> dict[str, Any]:
    """Per feature the share of scans whose measured value lies in its interval, over one drawn scan per patient.

    `level` is that of the Clopper-Pearson intervals of the coverage, not the level of the intervals. `expected` is the
    range that the coverage falls into at that level if calibration and evaluated scans are exchangeable. `provenance`:
    the evaluation's, by whose split the coverage is independent evidence or not.
    """
    predicted, measured = normalizer.inverse(results.predicted), normalizer.inverse(results.target)
    half = calibration.half_widths(predicted)
    volume = results.scores["mask_vol_total_mm3"].to_numpy(dtype=np.float64)
    bounds = interval_table(results.predicted, normalizer, calibration)
    features = {}
    for f, record in enumerate(calibration.features):
        rows = drawn_scans(results.patients, results.present[:, f] & np.isfinite(half[:, f]), seed)
        inside = np.abs(measured[rows, f] - predicted[rows, f]) <= half[rows, f]
        feature = feature_of(record.column)
        width = bounds[f"{feature.physical_column}_upper"] - bounds[f"{feature.physical_column}_lower"]
        width = width.fillna(0.0)  # of these rows only the intervals that hold nothing that can occur
        thirds = volume_tertiles(volume[rows])
        features[record.column] = {
            **share(inside, level),
            "expected": expected_coverage(record.scans, len(rows), calibration.level, level),
            "mean_width": {"unit": feature.physical_unit or "1", "value": mean_of(width.to_numpy()[rows])},
            "mean_width_table": {"unit": feature.unit, "value": mean_of(2 * half[rows, f])},
            "tertiles": {name: share(inside[thirds == third], level) for third, name in enumerate(TERTILES)},
        }
    return dict(
        plain(
            {
                "level": calibration.level,
                "calibrated_on": calibration.provenance["split"],
                "independent": is_independent(calibration.provenance, provenance),
                "interval_of_coverage": "Clopper-Pearson",
                "interval_level": level,
                "tertiles": "thirds of the evaluated scans by the measured volume of the whole tumour",
                "features": features,
            }
        )
    )


def is_independent(calibrated: Mapping[str, Any], evaluated: Mapping[str, Any]) -> bool:
    """Whether scans of the split `evaluated` say something of intervals made on that of `calibrated`: not if they are
    the same, and not if the network was trained on them. Splits are told by name and by the hash of the division.
    """
    names = ("split", "split_sha256")
    same = [calibrated.get(name) for name in names] == [evaluated.get(name) for name in names]
    return evaluated["split"] != "train" and not same


def share(inside: NDArray[np.bool_], level: float) -> dict[str, Any]:
    """Share of True with its Clopper-Pearson interval (doi:10.1093/biomet/26.4.404); None of no scans."""
    if not inside.size:
        return {"coverage": None, "low": None, "high": None, "scans": 0}
    count = int(np.count_nonzero(inside))
    interval = binomtest(count, inside.size).proportion_ci(level, method="exact")
    return {"coverage": count / inside.size, "low": interval.low, "high": interval.high, "scans": int(inside.size)}


def mean_of(values: FloatArray) -> float | None:
    """Mean (n,); None of no values."""
    return float(values.mean()) if values.size else None


def expected_coverage(calibrated: int, evaluated: int, coverage: float, level: float) -> list[float] | None:
    """Central `level` of the coverage over `evaluated` scans of a limit from `calibrated` exchangeable ones.

    The number covered is beta-binomial (doi:10.1561/2200000101): both cohorts' sizes play a part.
    """
    rank = conformal_rank(calibrated, coverage)
    if rank > calibrated or not evaluated:
        return None
    tails = ((1 - level) / 2, (1 + level) / 2)
    return [float(betabinom.ppf(tail, evaluated, rank, calibrated + 1 - rank)) / evaluated for tail in tails]


def volume_tertiles(volume: FloatArray) -> NDArray[np.intp]:
    """0, 1 or 2 for the smallest, middle and largest third by volume (n,); ties go to the lower third."""
    if not volume.size:
        return np.empty(0, dtype=np.intp)
    return np.searchsorted(np.quantile(volume, [1 / 3, 2 / 3]), volume).astype(np.intp)
