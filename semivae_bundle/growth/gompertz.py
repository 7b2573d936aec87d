"""Gompertz curves through the volumes of a patient's visits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

CURVE = ["start_mm3", "rate_per_year", "capacity_mm3"]


def gompertz(years: ArrayLike, log_start: float, log_rate: float, log_capacity: float) -> NDArray[np.float64]:
    """Gompertz' ln V(t) = ln K + (ln V(0) - ln K) exp(-a t), which solves dV/dt = a V ln(K / V)."""
    return log_capacity + (log_start - log_capacity) * np.exp(-np.exp(log_rate) * np.asarray(years, dtype=np.float64))


def fit_gompertz(visits: pd.DataFrame, log_rate: Sequence[float], log_capacity: Sequence[float]) -> pd.Series:
    """The most probable curve of one patient.

    `visits`: one patient's rows of `read_visits`; their volumes err log-normally and independently. `log_rate`,
    `log_capacity`: mean and standard deviation over the cohort of ln(a), a per year, and ln(K), K in mm³, since two to
    four visits do not determine three numbers. Returns visits, their number; start_mm3, rate_per_year, capacity_mm3;
    the standard deviation of each one's logarithm (Laplace), as `start_mm3_log_sd`; doubling_years, ln 2 over the
    curve's relative growth at the last visit, NaN where it shrinks; and largest_misfit_sd, how far a volume lies from
    the curve at most, in its own standard deviations.
    """
    years, observed, spread = (visits[name].to_numpy() for name in ("years", "ln_volume", "ln_volume_sd"))

    def residuals(curve: NDArray[np.float64]) -> NDArray[np.float64]:
        prior = [(curve[1] - log_rate[0]) / log_rate[1], (curve[2] - log_capacity[0]) / log_capacity[1]]
        return np.concatenate([(gompertz(years, *curve) - observed) / spread, prior])

    # Where the tumour shrank, a start above its volumes ends in a worse minimum than one among them; where it did so
    # fast, one that is as slow as most growth does.
    capacities = (max(log_capacity[0], observed.max()), observed.min())
    fastest = np.log(3 / np.diff(np.unique(years)).min(initial=1.0))  # 95 % of the way between two visits
    rates = (log_rate[0], log_rate[0] + 2 * log_rate[1], fastest)
    fits = [least_squares(residuals, [observed[0], *start]) for start in product(rates, capacities)]
    best = min(fits, key=lambda one: one.cost)
    slopes = np.asarray(best.jac)
    start, rate, capacity = np.exp(best.x)
    last = np.exp(gompertz(years.max(), *best.x))
    deviations = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    return pd.Series(
        {
            "visits": len(visits),
            **dict(zip(CURVE, (start, rate, capacity), strict=True)),
            **dict(zip((f"{name}_log_sd" for name in CURVE), deviations, strict=True)),
            "doubling_years": np.log(2) / (rate * np.log(capacity / last)) if start < capacity else np.nan,
            "largest_misfit_sd": np.abs(best.fun[: len(visits)]).max(),
        }
    )
