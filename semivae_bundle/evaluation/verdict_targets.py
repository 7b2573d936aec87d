"""What the report's checks ask for: the option `verdict_targets` of configs/evaluate.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class VerdictTargets:
    """One number per check.

    At least: `residual_active_fraction`; mean R² `volume_r2`, `location_r2`, `shape_r2`; `dice` of the whole tumour;
    PSNR in dB above the zero code's, in the brain and in the tumour. At most: `largest_correlation` and
    `distance_correlation` between partitions; `coverage_shortfall` of the worst interval below its level;
    `leakage_excess` of R²; `validation_loss_given_back`, the share of the fall of the loss that it has risen since.
    """

    residual_active_fraction: float
    volume_r2: float
    location_r2: float
    shape_r2: float
    largest_correlation: float
    distance_correlation: float
    dice: float
    psnr_gain_brain_db: float
    psnr_gain_tumour_db: float
    coverage_shortfall: float
    leakage_excess: float
    validation_loss_given_back: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(
                    f"verdict_targets: {field.name}: expected a finite number, found {value!r}; "
                    "give one in configs/evaluate.json, or on the command line"
                )


def targets_from(named: Mapping[str, float]) -> VerdictTargets:
    """Targets by name -> the record; raises for a name too many or too few."""
    expected = {field.name for field in fields(VerdictTargets)}
    if set(named) != expected:
        wrong = sorted(set(named) ^ expected)
        raise ValueError(f"verdict_targets: expected {sorted(expected)}; too many or missing: {wrong}")
    return VerdictTargets(**named)
