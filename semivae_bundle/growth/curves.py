"""growth.csv, growth.png and growth.json: a Gompertz curve per patient of an inference on dated visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from semivae_bundle import __version__
from semivae_bundle.data.files import atomic_path, sha256_of_file, write_json_atomically
from semivae_bundle.data.wording import listed
from semivae_bundle.evaluation.figure_style import BLUE, GREY, ORANGE, open_axes, save_figure
from semivae_bundle.growth.gompertz import CURVE, fit_gompertz, gompertz
from semivae_bundle.growth.priors import read_prior, told
from semivae_bundle.growth.visits import ChosenVisits, choose_visits

SCHEMA = "semivae-growth/1"
SHOWN = 12
WITHIN_90 = 1.645  # standard deviations on either side that hold nine of ten
STRANGE_SD = 3.0


def write_growth_curves(
    inference: Path,
    folder: Path,
    *,
    log_rate: Sequence[float],
    log_capacity: Sequence[float],
    factors: Path | None,
    keep_novel: bool,
) -> pd.DataFrame:
    """Fit each patient of `inference`; write growth.csv, growth.png and growth.json into `folder`, say what is in them,
    and return the table. `factors`: factors.csv of a phantom cohort, whose true curves are compared. See
    `fit_gompertz`. ValueError for a prior that is no mean and standard deviation.
    """
    log_rate, log_capacity = read_prior("log_rate", log_rate), read_prior("log_capacity", log_capacity)
    if factors is not None and not factors.is_file():
        raise FileNotFoundError(f"factors: expected the factors.csv of a phantom cohort, found no file {factors}")
    chosen = choose_visits(inference, keep_novel)
    visits = chosen.visits
    truth = None if factors is None else read_truth(factors, visits)
    print(told(log_rate, log_capacity))
    fits = {patient: fit_gompertz(own, log_rate, log_capacity) for patient, own in visits.groupby("patient")}
    curves = pd.DataFrame(fits).T.astype({"visits": int})
    dates = visits.groupby("patient")["date"]  # in the order of time
    curves = curves.assign(start_date=dates.first(), last_date=dates.last())
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "growth.csv") as part:
        curves.to_csv(part, index_label="patient", float_format="%.6g")
    save_figure(draw_curves(visits, curves, truth), folder / "growth.png")
    record = growth_record(
        inference, folder / "growth.csv", chosen, {"log_rate": log_rate, "log_capacity": log_capacity}
    )
    write_json_atomically(folder / "growth.json", {**record, "keep_novel": keep_novel})
    print(
        f"{len(curves)} patients, {len(visits)} scans; {folder / 'growth.csv'}, {folder / 'growth.png'}, what made "
        f"them in {folder / 'growth.json'}: written"
    )
    if strange := list(curves.index[curves["largest_misfit_sd"] > STRANGE_SD]):
        print(f"{len(strange)} follow no Gompertz curve (largest_misfit_sd above {STRANGE_SD:g}): {listed(strange)}")
    if shrinking := list(curves.index[curves["start_mm3"] > curves["capacity_mm3"]]):
        print(f"{len(shrinking)} shrink, as after treatment (start_mm3 above capacity_mm3): {listed(shrinking)}")
    if truth is not None:
        print(f"\nagainst the curves that the phantoms grew by:\n{compared(curves, truth).round(3).to_string()}")
    return curves


def growth_record(
    inference: Path, table: Path, chosen: ChosenVisits, priors: Mapping[str, Sequence[float]]
) -> dict[str, object]:
    """What made growth.csv; no path of the machine, so that it can be shared."""
    return {
        "schema": SCHEMA,
        "package_version": __version__,
        "inputs": {name: sha256_of_file(inference / name) for name in ("features.csv", "latents.csv", "run.json")},
        "table": {table.name: sha256_of_file(table)},
        "priors": {name: list(prior) for name, prior in priors.items()},
        "patients": chosen.visits["patient"].nunique(),
        "scans": len(chosen.visits),
        "without_interval": list(chosen.without_interval),
        "left_out": dict(chosen.left_out),
    }


def read_truth(factors: str | Path, visits: pd.DataFrame) -> pd.DataFrame:
    """The curves that phantoms grew by, a row per patient of `visits`; ValueError for patients or columns that are not
    there, and for another cohort, whose patients have the same names but other dates.
    """
    table = pd.read_csv(factors)
    if missing := [name for name in ("subject", "ln_volume", "growth_per_year", "capacity_mm3") if name not in table]:
        raise ValueError(f"{factors}: expected the factors.csv of a phantom cohort, found no {listed(missing)} in it")
    table = table.astype({"subject": str}).merge(
        visits[["subject", "patient", "date", "years"]], on="subject", suffixes=("_factors", "")
    )
    if "date_factors" in table and len(others := table[table["date_factors"] != table["date"]]):
        one = others.iloc[0]
        raise ValueError(
            f"{factors}: expected the cohort of this inference, found one that was scanned on other dates: "
            f"{one['subject']} on {one['date_factors']} there, on {one['date']} here; give the factors.csv "
            "of the folder that was inferred on"
        )
    table = table.assign(start_mm3=np.exp(table["ln_volume"]), rate_per_year=table["growth_per_year"])
    first = table.sort_values("years").groupby("patient").first()
    if missing := sorted(set(visits["patient"]) - set(first.index)):
        raise ValueError(f"{factors}: expected the factors of all patients, found none of {listed(missing)}")
    return first[CURVE]


def compared(curves: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Per number of the curve, over patients and in logarithms: how near the fit comes, how honest its spread is."""
    found, true = curves[CURVE].apply(np.log), truth.loc[curves.index, CURVE].apply(np.log)
    error = found - true
    spreads = curves[[f"{name}_log_sd" for name in CURVE]].set_axis(CURVE, axis="columns")
    return pd.DataFrame(
        {
            "correlation": found.corrwith(true),
            "median |ln error|": error.abs().median(),
            "mean ln error": error.mean(),
            "within 1.645 sd": (error.abs() < WITHIN_90 * spreads).mean(),
        }
    )


def draw_curves(visits: pd.DataFrame, curves: pd.DataFrame, truth: pd.DataFrame | None) -> Figure:
    """Volumes with the interval that the fit weighs them by, and the curve, of the patients with most visits."""
    chosen = list(curves.sort_values("visits", ascending=False, kind="stable").index[:SHOWN])
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.0 * rows), facecolor="white", layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    for patient, axes in zip(chosen, panels, strict=False):
        own = visits[visits["patient"] == patient]
        volume, factor = np.exp(own["ln_volume"]) / 1000, np.exp(WITHIN_90 * own["ln_volume_sd"])
        bars = [volume * (1 - 1 / factor), volume * (factor - 1)]
        axes.errorbar(own["years"], volume, bars, fmt="o", color=BLUE, markersize=3, linewidth=1)
        years = np.linspace(0, max(own["years"].max() * 1.3, 0.1), 60)
        fitted = np.exp(gompertz(years, *np.log(curves.loc[patient, CURVE]))) / 1000
        axes.plot(years, fitted, color=BLUE, label="fitted")
        if truth is not None:
            grown = np.exp(gompertz(years, *np.log(truth.loc[patient, CURVE]))) / 1000
            axes.plot(years, grown, color=ORANGE, linestyle="--", label="grown by")
        axes.set_title(str(patient), fontsize=7, color=GREY)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(labelsize=7)
        open_axes(axes)
    panels[0].legend(fontsize=7, frameon=False)
    figure.supxlabel("years since the first visit", fontsize=8)
    figure.supylabel("tumour, ml", fontsize=8)
    return figure
