"""Draw docs/figures/synthesised_contrast.png: one phantom as eight accesses of the training set show it.

Run from the repository's root: python scripts/synthesis_figure.py
"""

from pathlib import Path

import fire
import matplotlib.pyplot as plt
import numpy as np
from monai.bundle import ConfigParser

from semivae_bundle.data.files import atomic_path
from semivae_bundle.data.phantom.rescan import rescan
from semivae_bundle.data.phantom.subject import draw_head
from semivae_bundle.data.phantom.tissue_map import map_of_head
from semivae_bundle.data.subjects import MODALITIES

COLUMNS = 8
CROP = slice(0.17, 0.83)


def draw(
    output: str = "docs/figures/synthesised_contrast.png",
    *,
    recipe: str = "configs/recipes/synthesised_contrast.yaml",
    seed: int = 0,
    index: int = 1,
    size: int = 64,
) -> None:
    """Write the figure: columns are eight draws by the recipe's ranges of patient `index` of cohort `seed`."""
    tissue = map_of_head(draw_head(seed, index, 0, 1, size=size, spacing=240 / size, contrast="mixed"), size)
    variety = ConfigParser(ConfigParser.load_config_file(recipe)).get_parsed_content("variety")
    level = int(np.argmax(tissue.tumour.sum(axis=(0, 1)))) + tissue.start[2]
    crop = slice(int(CROP.start * size), int(CROP.stop * size))
    figure, axes = plt.subplots(len(MODALITIES), COLUMNS, figsize=(10.0, 5.0), facecolor="black")
    for number, column in enumerate(axes.T):
        image = rescan(np.random.default_rng([seed, index, number]), tissue, variety).numpy()
        for axis, channel in zip(column, image, strict=True):
            shown = np.where(channel == 0, -4.0, channel)[crop, crop, level]
            axis.imshow(shown.T, origin="lower", cmap="gray", vmin=-2.5, vmax=3.0, interpolation="nearest")
            axis.set_axis_off()
    for axis, name in zip(axes[:, 0], MODALITIES, strict=True):
        axis.text(0.02, 0.97, name, color="white", fontsize=9, transform=axis.transAxes, va="top")
    figure.subplots_adjust(0, 0, 1, 1, wspace=0.01, hspace=0.01)
    with atomic_path(output) as part:
        figure.savefig(part, dpi=90, facecolor="black", pil_kwargs={"optimize": True})
    plt.close(figure)
    print(f"{output}: {Path(output).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    fire.Fire(draw)
