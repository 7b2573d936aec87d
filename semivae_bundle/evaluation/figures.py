"""All figures of an evaluation, written below one folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semivae_bundle.evaluation.figure_correlation import correlation_figure
from semivae_bundle.evaluation.figure_leakage import leakage_figure
from semivae_bundle.evaluation.figure_projection import projection_figure
from semivae_bundle.evaluation.figure_reconstructions import reconstruction_figure
from semivae_bundle.evaluation.figure_scatter import scatter_figure
from semivae_bundle.evaluation.figure_style import save_figure
from semivae_bundle.evaluation.figure_training import read_history, training_figure
from semivae_bundle.evaluation.latent_projection import Projection, pca_projection
from semivae_bundle.evaluation.results import Results, ShownSubject
from semivae_bundle.features.normalizer import Normalizer

logger = logging.getLogger(__name__)


def write_figures(
    folder: Path,
    results: Results,
    shown: Sequence[ShownSubject],
    normalizer: Normalizer,
    partition: Mapping[str, int],
    report: Mapping[str, Any],
    history_file: Path | None,
    project: Projection = pca_projection,
) -> list[Path]:
    """Write the PNGs and return their paths. Without `history_file` (weights from elsewhere) no training curves."""
    chance = {pair: figures["chance_level"] for pair, figures in report["independence"]["pairs"].items()}
    written = [
        save_figure(scatter_figure(results, normalizer, report["features"]), folder / "predicted_against_measured.png"),
        save_figure(correlation_figure(results.mean, partition, chance), folder / "latent_correlation.png"),
    ]
    flat, projected = folder / "latent_projection.png", projection_figure(results, normalizer, partition, project)
    if projected is not None:
        written.append(save_figure(projected, flat))
    else:
        flat.unlink(missing_ok=True)
    leak = folder / "leakage.png"
    if "table" in report["leakage"]:
        written.append(save_figure(leakage_figure(report["leakage"]), leak))
    else:
        leak.unlink(missing_ok=True)
    for one in shown:
        written.append(save_figure(reconstruction_figure(one), folder / f"reconstruction_{one.subject}.png"))
    # A page of an earlier evaluation, of another split perhaps, must not pass for one of this.
    for old in set(folder.glob("reconstruction_*.png")) - set(written):
        old.unlink()
    curves = folder / "training_curves.png"
    if history_file is not None:
        written.append(save_figure(training_figure(read_history(history_file)), curves))
    else:
        logger.info("no training curves: no metrics.csv here of the training of these weights")
        curves.unlink(missing_ok=True)
    return written
