"""Draw docs/figures/labels.png: R² over the share of labels, with and without the unlabelled rest.

python scripts/ablation.py --dataset_dir DIR --output_dir runs/labels --rows scripts/ablations/labels.yaml --base demo
python scripts/label_figure.py runs/labels
"""

import re
from pathlib import Path

import fire
import pandas as pd
from matplotlib.figure import Figure

from semivae_bundle.evaluation.figure_style import (
    BLUE,
    GREEN,
    ORANGE,
    VERMILION,
    open_axes,
    partition_colour,
    save_figure,
)

COLOURS = {"": BLUE, "only": VERMILION, "mean_teacher": GREEN, "ema": ORANGE}
NAMES = {
    "": "with the unlabelled",
    "only": "the labelled alone",
    "mean_teacher": "and a mean teacher",
    "ema": "and a running average",
}
PARTITIONS = ("vol", "loc", "shape")


def draw(runs: str, output: str = "docs/figures/labels.png") -> None:
    """Write the figure from ablation.csv of the rows of scripts/ablations/labels.yaml.

    Args:
        runs: the ablation's output_dir
        output: the PNG
    """
    table = pd.read_csv(Path(runs) / "ablation.csv")
    parts = table["row"].str.extract(re.compile(r"^labels_(?P<share>\d+)_?(?P<kind>\w*)$"))
    table["share"], table["kind"] = parts["share"].astype(float), parts["kind"]
    whole = table[table["share"] == 100]
    figure = Figure(figsize=(9, 3), facecolor="white", layout="constrained")
    for axes, name in zip(figure.subplots(1, len(PARTITIONS)), PARTITIONS, strict=True):
        for kind, colour in COLOURS.items():
            rows = table[(table["kind"] == kind) & (table["share"] < 100)]
            if rows.empty:
                continue
            if kind == "only":
                rows = pd.concat([rows, whole])  # With all labels there is no rest.
            curve = rows.groupby("share")[f"R² {name}"].agg(["mean", "std"])
            axes.errorbar(
                curve.index, curve["mean"], curve["std"], color=colour, marker="o", markersize=4, label=NAMES[kind]
            )
        axes.set_title(name, fontsize=10, color=partition_colour(name))
        axes.set(xlabel="labelled, %", ylabel="mean R²" if name == "vol" else "")
        open_axes(axes)
    figure.axes[0].legend(fontsize=8, frameon=False)
    file = save_figure(figure, Path(output))
    print(f"{file}: written")


if __name__ == "__main__":
    fire.Fire(draw)
