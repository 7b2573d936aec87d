"""What is known of a patient's curve before any visit: two to four visits do not determine three numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# What the phantoms grow by. Real tumours need other numbers, from the literature or from a cohort of their own.
PHANTOM_LOG_RATE = (0.0, 0.5)
PHANTOM_LOG_CAPACITY = (12.3, 0.3)


def read_prior(name: str, prior: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; ValueError with the option's `name` for what is neither."""
    try:
        numbers = np.asarray(prior, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (2,) or not np.isfinite(numbers).all() or numbers[1] <= 0:
        raise ValueError(
            f'{name}: expected a mean and a standard deviation above 0, such as "[0.0,0.5]", found {prior}'
        )
    return float(numbers[0]), float(numbers[1])


def told(log_rate: tuple[float, float], log_capacity: tuple[float, float]) -> str:
    """The priors in a line, and whose they are where nobody gave others."""
    line = (
        f"priors: ln(a), a per year, {log_rate[0]:g} ± {log_rate[1]:g}; "
        f"ln(K), K in mm³, {log_capacity[0]:g} ± {log_capacity[1]:g}"
    )
    of_phantoms = {"log_rate": log_rate == PHANTOM_LOG_RATE, "log_capacity": log_capacity == PHANTOM_LOG_CAPACITY}
    if not any(of_phantoms.values()):
        return line
    whose = " and ".join(f"--{name}" for name, is_default in of_phantoms.items() if is_default)
    return f"{line}. The phantoms' are taken for {whose}; tumours of patients want their own"
