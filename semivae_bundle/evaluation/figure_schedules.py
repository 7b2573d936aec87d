"""The weights of the objective's terms over a training, before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from semivae_bundle.data.wording import not_whole
from semivae_bundle.evaluation.figure_style import CYCLE, open_axes, save_figure
from semivae_bundle.training.schedules import Schedule

POINTS = 400


def schedules_figure(schedules: Mapping[str, Schedule], weights: Mapping[str, float], epochs: int) -> Figure:
    """One panel for each term with a weight: weight times schedule, from the first step to the last."""
    figure = Figure(figsize=(8, 1.1 * len(weights) + 0.6), facecolor="white", layout="constrained")
    panels = figure.subplots(len(weights), 1, sharex=True, squeeze=False)[:, 0]
    done = np.linspace(0, epochs, POINTS)
    for i, (axes, (name, weight)) in enumerate(zip(panels, weights.items(), strict=True)):
        # A schedule of one term alone, such as kl_residual, multiplies its family's.
        narrower = [term for term in schedules if term.split("_")[0] == name and term != name]
        for j, term in enumerate([name, *narrower]):
            factors = [schedules[key] for key in dict.fromkeys((name, term)) if key in schedules]
            scale = np.array([np.prod([schedule(epoch) for schedule in factors]) for epoch in done])
            axes.plot(done, weight * scale, color=CYCLE[(i + j) % len(CYCLE)], linewidth=1.4, label=term)
        axes.set_ylim(-0.05 * max(weight, 1e-9), 1.1 * max(weight, 1e-9))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
        axes.tick_params(labelsize=7)
        open_axes(axes)
    panels[-1].set_xlabel("epochs done", fontsize=8)
    figure.suptitle("Weight of each term of the objective", fontsize=10, x=0.02, ha="left")
    return figure


def write_schedules(
    schedules: Mapping[str, Schedule], weights: Mapping[str, float], epochs: int, file: str | Path
) -> Path:
    """Draw `schedules_figure` to a PNG; returns its path. ValueError for epochs that no training could have."""
    if problem := not_whole("epochs", epochs, 1):
        raise ValueError(problem)
    path = save_figure(schedules_figure(schedules, weights, epochs), Path(file))
    print(f"{path}: written")
    return path
