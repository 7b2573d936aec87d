"""How well a gate tells corrupted scans from usual ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from semivae_bundle.evaluation import corruptions
from semivae_bundle.evaluation.conformal import FloatArray
from semivae_bundle.evaluation.corruptions import Image, Mask, standardised
from semivae_bundle.evaluation.novelty import NoveltyGate, Verdict
from semivae_bundle.evaluation.scan_verdict import scan_verdict

USUAL = "usual"


@dataclass(frozen=True)
class Detection:
    """Of one corruption: area under the ROC curve against the usual scans, and the share that the gate turns away."""

    auroc: float
    flagged: float
    scans: int


def corrupted_scans(image: Image, tumour: Mask | None, rng: np.random.Generator) -> dict[str, Image]:
    """Every corruption of one scan, z-scored anew; that of the missing tumour only where its mask is known.

    The shuffled blocks are the largest that divide every side and are at most a quarter of the shortest.
    """
    sides = image.shape[1:]
    common = math.gcd(*sides)
    largest = max(side for side in range(1, max(min(sides) // 4, 1) + 1) if common % side == 0)
    made = {
        "swapped_modalities": corruptions.swapped_modalities(image, first=0, second=2),
        "flipped_left_right": corruptions.flipped(image, axis=0),
        "flipped_front_back": corruptions.flipped(image, axis=1),
        "flipped_head_foot": corruptions.flipped(image, axis=2),
        "skull": corruptions.with_skull(image, thickness=2, brightness=3.0),
        "wrong_intensity": corruptions.with_wrong_intensity(image, power=4.0),
        "noise": corruptions.with_noise(image, std=1.0, rng=rng),
        "another_organ": corruptions.another_organ(image, count=8, rng=rng),
        "shuffled_blocks": corruptions.shuffled_blocks(image, side=largest, rng=rng),
    }
    if tumour is not None:
        made["without_tumour"] = corruptions.without_tumour(image, tumour)
    return {name: standardised(one) for name, one in made.items()}


@torch.no_grad()
def verdict_on(image: Image, network: nn.Module, gate: NoveltyGate) -> Verdict:
    """The gate's verdict on one pre-processed image (4, D, H, W), by SemiVAE in evaluation mode."""
    device = next(network.parameters()).device
    tensor = torch.from_numpy(image)
    output = {name: part[0].float().cpu() for name, part in network(tensor[None].to(device)).items()}
    parts = (output[name] for name in ("reconstruction", "mean", "log_var", "tumour_logits"))
    return scan_verdict(gate, tensor, *parts)


def detection_per_corruption(
    scans: Iterable[tuple[Image, Mask | None]], network: nn.Module, gate: NoveltyGate, *, seed: int
) -> dict[str, Detection]:
    """Corruption -> Detection over `scans`, which are usual ones (image, tumour mask or None) the gate was not made on.

    "usual" has the gate's false alarms on the scans as they are, and an AUROC of 0.5.
    """
    rng = np.random.default_rng(seed)
    verdicts: dict[str, list[Verdict]] = {USUAL: []}
    network.eval()
    for image, tumour in scans:
        for name, one in {USUAL: image, **corrupted_scans(image, tumour, rng)}.items():
            verdicts.setdefault(name, []).append(verdict_on(one, network, gate))
    if not verdicts[USUAL]:
        raise ValueError("scans: expected at least one, found none")
    strangeness = {name: np.array([one.strangeness for one in found]) for name, found in verdicts.items()}
    area = auroc_per_corruption(strangeness.pop(USUAL), strangeness) | {USUAL: 0.5}
    return {
        name: Detection(area[name], float(np.mean([not one.in_distribution for one in found])), len(found))
        for name, found in verdicts.items()
    }


def auroc_per_corruption(usual: FloatArray, corrupted: Mapping[str, FloatArray]) -> dict[str, float]:
    """Probability that a corrupted scan is stranger than a usual one, ties counting half: 0.5 is chance, 1 perfect."""
    return {
        name: float(roc_auc_score(np.repeat([0, 1], [len(usual), len(values)]), np.concatenate([usual, values])))
        for name, values in corrupted.items()
    }
