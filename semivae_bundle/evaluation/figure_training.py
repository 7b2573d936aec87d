"""Training curves from metrics.csv."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semivae_bundle.evaluation.figure_style import BLUE, CYCLE, GREY, PARTITION_COLOURS, VERMILION, open_axes

PANELS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("Objective", "nats per subject", lambda n: n in ("train/loss", "val_epoch/loss")),
    ("R² on validation", "mean over features", lambda n: n.startswith("sem/")),
    ("Active units", "dimensions", lambda n: n.startswith("diag/au_count_")),
    ("KL in training", "nats, free bits included", lambda n: n.startswith("train/kl_")),
    ("Correlation between partitions", "largest |r|", lambda n: n.startswith("semivae/corr_")),
    ("Weights of the terms", "share of the largest", lambda n: n.startswith("weight/")),
)


def history_file_of(evaluation_dir: Path, provenance: Mapping[str, Any]) -> Path | None:
    """metrics.csv above an evaluation, if it is there and of the training that made the evaluated weights."""
    file = evaluation_dir.resolve().parent / "metrics.csv"
    return file if provenance.get("trained_here") and file.is_file() else None


def read_history(metrics_file: Path) -> pd.DataFrame:
    """metrics.csv (epoch, name, value) -> one row per epoch, one column per name; the last value of a pair counts."""
    rows = pd.read_csv(metrics_file).drop_duplicates(["epoch", "name"], keep="last")
    return rows.pivot(index="epoch", columns="name", values="value")


def training_figure(history: pd.DataFrame) -> Figure:
    """Six panels over epochs: objective, R², active units, KL, correlation between partitions, weights."""
    figure = Figure(figsize=(12, 6.4), facecolor="white", layout="constrained")
    for position, (title, unit, wanted) in enumerate(PANELS):
        axes = figure.add_subplot(2, 3, position + 1)
        lines = {str(name): history[name].dropna() for name in history.columns if wanted(str(name))}
        if title.startswith("Weights"):
            lines = _merged(lines)
            axes.set_ylim(-0.03, 1.05)
        _draw_lines(axes, lines)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_ylabel(unit, fontsize=8)
        if position >= 3:
            axes.set_xlabel("epoch", fontsize=8)
    return figure


def _draw_lines(axes: Axes, lines: Mapping[str, pd.Series]) -> None:
    for i, (name, values) in enumerate(lines.items()):
        mark = "." if len(values) < 3 else ""
        axes.plot(values.index, values, color=_colour(name, i), label=_short(name), linewidth=1.2, marker=mark)
    if lines:
        axes.legend(fontsize=6.5, frameon=False, ncols=2 if len(lines) > 5 else 1)
    if any(name.startswith("sem/") for name in lines):
        # An untrained head can be far below 0; what is worth seeing lies in [-0.2, 1].
        axes.set_ylim(-0.2, 1.02)
        axes.axhline(0, color=GREY, linewidth=0.6)
    axes.tick_params(labelsize=7)
    open_axes(axes)


def _merged(weights: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    """Weights as shares of their largest value; terms with one schedule become one line named after their families."""
    groups: dict[tuple[float, ...], list[str]] = {}
    for name, values in weights.items():
        shares = values / max(float(values.abs().max()), 1e-12)
        groups.setdefault(tuple(shares.round(6)), []).append(name)
    merged = {}
    for key, names in groups.items():
        families = dict.fromkeys(name.removeprefix("weight/").split("_")[0] for name in names)
        merged["weight/" + ", ".join(families)] = pd.Series(list(key), index=weights[names[0]].index)
    return merged


def _colour(name: str, position: int) -> str:
    fixed = {"train/loss": BLUE, "val_epoch/loss": VERMILION, "sem/mean_r2": "black"}
    if name in fixed:
        return fixed[name]
    if name.startswith(("sem/", "diag/", "train/kl_")):
        for partition, colour in PARTITION_COLOURS.items():
            if f"_{partition}" in name or f"/{partition}" in name:
                return colour
    return CYCLE[position % len(CYCLE)]


def _short(name: str) -> str:
    """Label in a legend: the family is the panel's title."""
    if name in ("train/loss", "val_epoch/loss"):
        return {"train/loss": "training", "val_epoch/loss": "validation"}[name]
    short = name.split("/", 1)[1]
    for noise in ("au_count_", "corr_z_", "kl_", "_r2"):
        short = short.replace(noise, "")
    return short.replace("_z_", " - ")
