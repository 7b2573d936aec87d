"""Draw docs/figures/collapse.png: the residual of a default training beside the classical failure.

python scripts/ablation.py --dataset_dir DIR --output_dir runs/objective --rows "[default,collapse]" --base demo
python scripts/collapse_figure.py runs/objective
"""

from pathlib import Path

import fire
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from semivae_bundle.evaluation.figure_style import BLUE, GREY, VERMILION, open_axes, save_figure
from semivae_bundle.evaluation.figure_training import read_history
from semivae_bundle.training.latent_metrics import ACTIVE_VARIANCE

COLOURS = {"default": BLUE, "collapse": VERMILION}


def draw(runs: str, output: str = "docs/figures/collapse.png") -> None:
    """Write the figure from the rows `default` and `collapse` of an ablation.

    Args:
        runs: the ablation's output_dir
        output: the PNG
    """
    figure = Figure(figsize=(9, 3), facecolor="white", layout="constrained")
    units, variances = figure.subplots(1, 2)
    for row, colour in COLOURS.items():
        history = read_history(Path(runs) / row / "metrics.csv")["diag/au_count_residual"].dropna()
        units.plot(history.index, history, color=colour, label=row, linewidth=1.4, marker=".")
        means = pd.read_csv(Path(runs) / row / "evaluation" / "predictions.csv").filter(regex="^mean_residual_")
        spread = np.sort(means.to_numpy().var(axis=0))[::-1]
        variances.plot(np.arange(1, len(spread) + 1), np.maximum(spread, 1e-9), color=colour, label=row, linewidth=1.4)
    units.set(title="Active units of the residual, on validation", xlabel="epoch", ylim=(-2, len(spread) + 4))
    variances.set(title="Variance of its means over scans", xlabel="dimension, by variance", yscale="log")
    variances.axhline(ACTIVE_VARIANCE, color=GREY, linewidth=0.8, linestyle="--", label="active above")
    for axes in (units, variances):
        axes.title.set_fontsize(10)
        axes.legend(fontsize=8, frameon=False)
        open_axes(axes)
    file = save_figure(figure, Path(output))
    print(f"{file}: written")


if __name__ == "__main__":
    fire.Fire(draw)
