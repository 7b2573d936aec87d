"""Traversals of a split's scans: traversals.json, figures and animations."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.figure_style import save_figure
from semivae_bundle.evaluation.figure_traversal_curves import curves_figure
from semivae_bundle.evaluation.figure_traversal_leakage import traversal_leakage_figure
from semivae_bundle.evaluation.figure_traversal_strip import strip_figure
from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.traversal import Drawn, Traversal, traverse
from semivae_bundle.evaluation.traversal_animation import write_animation
from semivae_bundle.evaluation.traversal_codes import require_inverse
from semivae_bundle.evaluation.traversal_options import TraversalOptions
from semivae_bundle.evaluation.traversal_report import moves_of, traversal_report, traversal_table
from semivae_bundle.evaluation.traversal_request import central_ranges, requested_values
from semivae_bundle.evaluation.traversal_strip import Strip, strip_of
from semivae_bundle.features.normalizer import Normalizer


def write_traversals(
    dataset: Sequence[Mapping[str, Any]],
    network: nn.Module,
    normalizer: Normalizer,
    features: pd.DataFrame,
    splits: Mapping[str, Sequence[str]],
    patients: Mapping[str, str],
    options: TraversalOptions,
    intervals: Intervals,
    folder: str | Path,
    provenance: Mapping[str, Any],
    progress: bool,
) -> None:
    """Traverse the first `options.scans` scans of `dataset`; the first of them is the one that pictures show.

    `network`: SemiVAE with its weights, in evaluation mode. `features`, `splits`: whose training subjects give the
    range of shapes. `patients`: subject -> patient. Raises ValueError for a feature that is no target and for heads
    without an inverse, before any scan is read.
    """
    require_inverse(network.heads)  # type: ignore[arg-type]
    moves = moves_of(options, normalizer)
    central = central_ranges(features, splits, normalizer, options.central_share)
    moved, strips = _traverse_all(dataset, network, normalizer, patients, moves, options, central, progress)
    report = traversal_report(moved, normalizer, options, intervals, central, provenance)
    folder = Path(folder)
    write_json_atomically(folder / "traversals.json", report)
    pictures = _write_pictures(folder, report, strips)
    print(traversal_table(report))
    print(f"\nwritten: {folder}/traversals.json and {len(pictures)} pictures")


def _traverse_all(
    dataset: Sequence[Mapping[str, Any]],
    network: nn.Module,
    normalizer: Normalizer,
    patients: Mapping[str, str],
    moves: Mapping[str, Sequence[int]],
    options: TraversalOptions,
    central: FloatArray,
    progress: bool,
) -> tuple[dict[str, list[Traversal]], list[Strip]]:
    moved: dict[str, list[Traversal]] = {name: [] for name in moves}
    strips: list[Strip] = []
    scans = min(options.scans, len(dataset))
    bar = tqdm(total=scans * len(moves), desc="traverse", unit="traversal", file=sys.stdout, disable=not progress)
    with bar:
        for index in range(scans):
            item = dataset[index]
            patient = patients.get(str(item["subject"]), str(item["subject"]))
            for name, one, drawn in _traverse_scan(item, patient, network, normalizer, moves, options, central):
                moved[name].append(one)
                if index == 0:
                    column = normalizer.columns[one.position]
                    strips.append(strip_of(one, drawn, item["brain"][0].numpy() > 0, column, name))
                bar.update(1)
    return moved, strips


def _traverse_scan(
    item: Mapping[str, Any],
    patient: str,
    network: nn.Module,
    normalizer: Normalizer,
    moves: Mapping[str, Sequence[int]],
    options: TraversalOptions,
    central: FloatArray,
) -> Iterator[tuple[str, Traversal, Drawn]]:
    """The traversal of each feature, one at a time, so that no more than one holds its volumes."""
    image = item["image"].to(next(network.parameters()).device)
    mean, predicted = _code(network, image)
    spacing = (np.array(normalizer.fov_mm) / image.shape[1:]).tolist()
    for name, places in moves.items():
        values = {place: requested_values(predicted, place, normalizer, options, central) for place in places}
        yield name, *traverse(network, normalizer, mean, values, spacing, str(item["subject"]), patient)


@torch.no_grad()
def _code(network: nn.Module, image: torch.Tensor) -> tuple[torch.Tensor, FloatArray]:
    """Mean code (L,) of an image (C, D, H, W), and the heads' predictions (F,)."""
    mean = network.encode(image[None])[0]  # type: ignore[operator]
    return mean[0], network.heads(mean)[0].double().cpu().numpy()  # type: ignore[operator]


def _write_pictures(folder: Path, report: Mapping[str, Any], strips: Sequence[Strip]) -> list[Path]:
    """Figures and animations; those of an earlier run that this one did not make are removed."""
    written = [
        save_figure(curves_figure(report["features"]), folder / "traversal_curves.png"),
        save_figure(traversal_leakage_figure(report["leakage"]), folder / "traversal_leakage.png"),
    ]
    for strip in strips:
        written.append(save_figure(strip_figure(strip), folder / f"traversal_of_{strip.name}.png"))
        written.append(write_animation(strip, folder / f"traversal_of_{strip.name}.gif"))
    for old in set(folder.glob("traversal_of_*")) - set(written):
        old.unlink()
    return written
