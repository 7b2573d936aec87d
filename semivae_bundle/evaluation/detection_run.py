"""The novelty gate against corrupted scans of a held-out split: a table and detection.json."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.corruptions import Image, Mask
from semivae_bundle.evaluation.coverage import is_independent
from semivae_bundle.evaluation.detection import detection_per_corruption
from semivae_bundle.evaluation.summary_table import aligned

SCHEMA = "semivae-detection/1"
TUMOUR = 0.5  # share of a voxel from which it counts as tumour


def usual_scans(
    dataset: Sequence[Mapping[str, Any]], most: int, *, progress: bool
) -> Iterator[tuple[Image, Mask | None]]:
    """Image (4, D, H, W) and tumour mask (D, H, W), None for an unlabelled subject, of the first `most` subjects."""
    chosen = range(min(most, len(dataset)))
    for index in tqdm(chosen, desc="corrupt", unit="scan", file=sys.stdout, disable=not progress):
        item = dataset[index]
        tumour = item["regions"].sum(dim=0).numpy() > TUMOUR if bool(item["labelled"]) else None
        yield item["image"].numpy(), tumour


def write_detection(
    dataset: Sequence[Mapping[str, Any]],
    network: nn.Module,
    calibration: Calibration | None,
    file: str | Path,
    provenance: Mapping[str, Any],
    scans: int,
    seed: int,
    progress: bool,
) -> None:
    """AUROC and share turned away per corruption of the first `scans` subjects of `dataset`; printed and written.

    `network`: SemiVAE with its weights loaded. `provenance`: of the scans; `independent` in the file says whether the
    gate was made on others. Ends the command with a message where there is no gate to try.
    """
    if calibration is None or calibration.novelty is None:
        reason = "no calibration.json" if calibration is None else calibration.novelty_reason
        raise SystemExit(f"detecting: no novelty gate to try: {reason}; run calibrating first")
    found = detection_per_corruption(
        usual_scans(dataset, scans, progress=progress), network, calibration.novelty, seed=seed
    )
    results = {name: asdict(one) for name, one in found.items()}
    independent = is_independent(calibration.provenance, provenance)
    content = {"schema": SCHEMA, "independent": independent, "corruptions": results, "provenance": dict(provenance)}
    write_json_atomically(Path(file), content)
    rows = [["corruption", "scans", "AUROC", "turned away"]]
    rows += [[name, str(one.scans), f"{one.auroc:.3f}", f"{one.flagged:.0%}"] for name, one in found.items()]
    print(aligned(rows))
    if not independent:
        print("these very scans were calibrated or trained on, so this detection is no evidence")
    print(f"\nwritten: {file}")
