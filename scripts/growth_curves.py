"""From an inference on dated visits to a Gompertz curve per patient: python scripts/growth_curves.py outputs/inference

Writes growth.csv, a line per patient, and growth.png beside the inference's tables. Where the cohort is of phantoms,
--factors DIR/factors.csv compares the curves with those that the tumours grew by. docs/growth.md says how to get there,
and goes on from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import fire
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from semivae_bundle.data.files import atomic_path
from semivae_bundle.evaluation.figure_style import BLUE, GREY, ORANGE, open_axes, save_figure

KEYS = ["subject", "patient", "visit", "date", "modalities"]
CURVE = ["start_mm3", "rate_per_year", "capacity_mm3"]
VOLUME = "vol_total_mm3"
BOUNDS = [f"{VOLUME}_lower", f"{VOLUME}_upper"]
BOUNDS_APART = 2 * 1.645  # standard deviations between the two ends of a 90 % interval
UNTOLD_SPREAD = 0.3  # of a log-volume, where the inference had no calibration
SHOWN = 12


def growth_curves(
    inference: str,
    output_dir: str | None = None,
    log_rate: Sequence[float] = (0.0, 0.5),
    log_capacity: Sequence[float] = (12.3, 0.3),
    factors: str | None = None,
) -> None:
    """Fit, tabulate and draw.

    Args:
        inference: the folder with latents.csv and features.csv
        output_dir: where growth.csv and growth.png go; beside them if left out
        log_rate: mean and standard deviation over the cohort of ln(a), a per year
        log_capacity: the same of ln(K), K in mm³
        factors: factors.csv of a phantom cohort, to compare with
    """
    out = Path(output_dir or inference)
    scans = read_visits(inference)
    curves = pd.DataFrame({name: fit(one, log_rate, log_capacity) for name, one in scans.groupby("patient")}).T
    out.mkdir(parents=True, exist_ok=True)
    with atomic_path(out / "growth.csv") as part:
        curves.to_csv(part, index_label="patient", float_format="%.6g")
    truth = None if factors is None else read_truth(factors, scans)
    save_figure(draw(scans, curves, truth), out / "growth.png")
    print(f"{len(curves)} patients of {len(scans)} scans\n{out / 'growth.csv'}, {out / 'growth.png'}: written")
    if truth is not None:
        print(compared(curves, truth).round(3).to_string())


def read_visits(inference: str | Path) -> pd.DataFrame:
    """The scans of an inference in the order of time, with `years` since the patient's first.

    ValueError for a scan without a date, and where no patient has two scans.
    """
    types = {name: str for name in KEYS}
    features, latents = (pd.read_csv(Path(inference) / f"{name}.csv", dtype=types) for name in ("features", "latents"))
    table = features.merge(latents, on=KEYS, validate="one_to_one")
    if dateless := list(table.loc[table["date"].isna(), "subject"]):
        raise ValueError(
            f"{inference}: expected a date for every scan, found none for {len(dateless)} of {len(table)}, such as "
            f"{dateless[0]}; infer with --manifest FILE, a table with the column date"
        )
    if table["patient"].nunique() == len(table):
        raise ValueError(f"{inference}: expected patients of several visits, found one scan of each of {len(table)}")
    date = pd.to_datetime(table["date"]).rename("years")
    years = (date - date.groupby(table["patient"]).transform("min")).dt.days / 365.25
    return pd.concat([table, years], axis="columns").sort_values(["patient", "years"], ignore_index=True)


def gompertz(years: ArrayLike, log_start: float, log_rate: float, log_capacity: float) -> NDArray[np.float64]:
    """Gompertz' ln V(t) = ln K + (ln V(0) - ln K) exp(-a t), which solves dV/dt = a V ln(K / V)."""
    return log_capacity + (log_start - log_capacity) * np.exp(-np.exp(log_rate) * np.asarray(years, dtype=np.float64))


def fit(scans: pd.DataFrame, log_rate: Sequence[float], log_capacity: Sequence[float]) -> pd.Series:
    """The most probable curve of one patient, and the standard deviations of its logarithms (Laplace).

    Volumes err log-normally, by their interval's width; a and K have log-normal priors, since two to four visits do not
    determine three numbers.
    """
    observed, years, spread = np.log(scans[VOLUME].to_numpy()), scans["years"].to_numpy(), log_spread(scans)

    def residuals(curve: NDArray[np.float64]) -> NDArray[np.float64]:
        prior = [(curve[1] - log_rate[0]) / log_rate[1], (curve[2] - log_capacity[0]) / log_capacity[1]]
        return np.concatenate([(gompertz(years, *curve) - observed) / spread, prior])

    start = [observed[0], log_rate[0], max(log_capacity[0], observed.max())]
    found = least_squares(residuals, start)
    slopes = np.asarray(found.jac)
    deviations = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    return pd.Series([len(scans), *np.exp(found.x), *deviations], ["visits", *CURVE, *(f"{c}_log_sd" for c in CURVE)])


def log_spread(scans: pd.DataFrame) -> NDArray[np.float64]:
    """Standard deviation of each ln V."""
    if not set(BOUNDS) <= set(scans):
        return np.full(len(scans), UNTOLD_SPREAD)
    lower, upper = np.log(scans[BOUNDS].to_numpy().T)
    return (upper - lower) / BOUNDS_APART


def read_truth(factors: str | Path, scans: pd.DataFrame) -> pd.DataFrame:
    """The curves that phantoms grew by, a row per patient of `scans`; ValueError for patients that are not there."""
    table = pd.read_csv(factors).merge(scans[["subject", "patient", "years"]], on="subject", suffixes=("_number", ""))
    table = table.assign(start_mm3=np.exp(table["ln_volume"]), rate_per_year=table["growth_per_year"])
    first = table.sort_values("years").groupby("patient").first()
    if missing := sorted(set(scans["patient"]) - set(first.index)):
        raise ValueError(f"{factors}: expected the factors of all patients, found none of {missing[:3]}")
    return first[CURVE]


def compared(curves: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Per number of the curve, over patients and in logarithms: how near the fit comes, how honest its spread is."""
    found, true = curves[CURVE].astype(float).apply(np.log), truth.loc[curves.index, CURVE].apply(np.log)
    error = found - true
    spreads = curves[[f"{name}_log_sd" for name in CURVE]].astype(float).set_axis(CURVE, axis="columns")
    return pd.DataFrame(
        {
            "correlation": found.corrwith(true),
            "median |ln error|": error.abs().median(),
            "mean ln error": error.mean(),
            "within 1.645 sd": (error.abs() < 1.645 * spreads).mean(),
        }
    )


def draw(scans: pd.DataFrame, curves: pd.DataFrame, truth: pd.DataFrame | None) -> Figure:
    """Volumes with their intervals and the curve through them, of the patients with most visits."""
    chosen = list(curves.sort_values("visits", ascending=False, kind="stable").index[:SHOWN])
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.0 * rows), facecolor="white", layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    for patient, axes in zip(chosen, panels, strict=False):
        own = scans[scans["patient"] == patient]
        years = np.linspace(0, max(own["years"].max() * 1.3, 0.1), 60)
        spread = np.exp(1.645 * log_spread(own))
        below, above = own[VOLUME] * (1 - 1 / spread), own[VOLUME] * (spread - 1)
        bars = np.stack([below, above]) / 1000
        axes.errorbar(own["years"], own[VOLUME] / 1000, bars, fmt="o", color=BLUE, markersize=3, linewidth=1)
        axes.plot(years, np.exp(gompertz(years, *np.log(curves.loc[patient, CURVE].astype(float)))) / 1000, color=BLUE)
        if truth is not None:
            grown = np.exp(gompertz(years, *np.log(truth.loc[patient, CURVE]))) / 1000
            axes.plot(years, grown, color=ORANGE, linestyle="--")
        axes.set_title(str(patient), fontsize=7, color=GREY)
        axes.set_yscale("log")
        axes.tick_params(labelsize=7)
        open_axes(axes)
    figure.supxlabel("years since the first visit", fontsize=8)
    figure.supylabel("tumour, ml", fontsize=8)
    return figure


if __name__ == "__main__":
    fire.Fire(growth_curves)
