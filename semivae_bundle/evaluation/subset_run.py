"""Evaluates a network on every subset of the modalities: subsets.csv, subsets.md and subsets.png."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from monai.inferers import Inferer
from torch import nn

from semivae_bundle.data.files import atomic_path, write_text_atomically
from semivae_bundle.evaluation.figure_style import save_figure
from semivae_bundle.evaluation.figure_subsets import subsets_figure
from semivae_bundle.evaluation.image_quality import RANGE_STATEMENT
from semivae_bundle.evaluation.subset_scores import score_subsets
from semivae_bundle.evaluation.subset_table import subset_markdown, subset_table
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.networks.presence import is_told_what_is_absent

NOT_TOLD = (
    "this network is not told which modalities are absent: it takes them for images of nothing but mean intensity; "
    "train one that is with the recipes modality_dropout and presence_planes, product_of_experts or mixture_of_experts"
)


def write_subsets(
    loader: Iterable[Mapping[str, Any]],
    network: nn.Module,
    inferer: Inferer,
    normalizer: Normalizer,
    folder: str | Path,
    provenance: Mapping[str, Any],
    progress: bool,
) -> None:
    """Score the scans of `loader` from all 15 subsets and write the table and its figure below `folder`.

    `network`: SemiVAE with its weights, in evaluation mode. Any can be scored; for one that does not know what is
    absent the files say so.
    """
    scores = score_subsets(loader, network, inferer, progress=progress)
    table, partitions = subset_table(scores, normalizer), list(normalizer.partitions)
    notes = [
        f"{len(scores.target)} scans of the split {provenance['split']!r}, weights "
        f"{provenance['checkpoint']['file']} (SHA-256 {provenance['checkpoint']['sha256']})",
        "R² in normalised units, mean over a partition's features (per feature: subsets.csv), as in metrics.json; "
        "no intervals",
        f"PSNR over the brain, range: {RANGE_STATEMENT}; imputed: drawn without having been seen",
    ]
    notes += [] if is_told_what_is_absent(network) else [NOT_TOLD]
    folder = Path(folder)
    with atomic_path(folder / "subsets.csv") as part:
        table.to_csv(part, float_format="%.9g")
    text = subset_markdown(table, partitions, notes)
    write_text_atomically(folder / "subsets.md", text)
    save_figure(subsets_figure(table, partitions), folder / "subsets.png")
    print(text)
    print(f"written: {folder}/subsets.csv, subsets.md and subsets.png")
