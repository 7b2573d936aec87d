"""What a network makes of every scan when it sees only some of its modalities."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from semivae_bundle.data.modality_subsets import SUBSETS
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.image_quality import data_range, masked_psnr
from semivae_bundle.training.batch import PrepareSemiVAEBatch


@dataclass(frozen=True)
class SubsetScores:
    """Of S = 15 subsets, in the order of SUBSETS, and n scans: `predicted` (S, n, F) in normalised units and `psnr`
    (S, n, 4) over the brain in dB, hidden modalities included; `target`, `present` (n, F).
    """

    predicted: FloatArray
    psnr: FloatArray
    target: FloatArray
    present: NDArray[np.bool_]


@torch.no_grad()
def score_subsets(
    loader: Iterable[Mapping[str, Any]], network: nn.Module, inferer: Inferer, *, progress: bool
) -> SubsetScores:
    """Hide modalities in every way, in one pass of `loader`, whose scans are complete.

    `network`: SemiVAE in evaluation mode. A hidden modality is 0 everywhere, as DropModalitiesd leaves it, and its
    reconstruction is compared with the scan that the network did not see.
    """
    device, prepare = next(network.parameters()).device, PrepareSemiVAEBatch()
    predicted, psnr, target, present = [], [], [], []
    for batch in tqdm(loader, desc="subsets", unit="batch", file=sys.stdout, disable=not progress):
        image, targets = prepare(dict(batch), device)
        of_subsets = [_one_subset(image, targets, seen.to(device), network, inferer) for seen in seen_channels()]
        predicted.append(np.stack([features for features, _ in of_subsets]))
        psnr.append(np.stack([quality for _, quality in of_subsets]))
        target.append(_array(targets["features"]))
        present.append(_array(targets["present"]) > 0)
    if not target:
        raise ValueError("subsets: expected at least one scan to evaluate, found none")
    return SubsetScores(
        np.concatenate(predicted, axis=1), np.concatenate(psnr, axis=1), np.concatenate(target), np.concatenate(present)
    )


def seen_channels() -> Tensor:
    """1 where a subset has the modality: (15, 4) float32, in the orders of SUBSETS and MODALITIES."""
    return torch.tensor([[float(modality in subset) for modality in MODALITIES] for subset in SUBSETS])


def _one_subset(
    image: Tensor, targets: Mapping[str, Tensor], seen: Tensor, network: nn.Module, inferer: Inferer
) -> tuple[FloatArray, FloatArray]:
    """Predicted features (B, F) and PSNR (B, 4) of one batch."""
    output = inferer(image * seen[:, None, None, None], network)
    reconstruction, brain = _array(output["reconstruction"]), _array(targets["brain"])[:, 0] > 0.5
    scans = zip(reconstruction, _array(image), brain, strict=True)
    quality = [
        [
            masked_psnr(drawn, true, mask, data_range(true, mask))
            for drawn, true in zip(drawn_scan, true_scan, strict=True)
        ]
        for drawn_scan, true_scan, mask in scans
    ]
    return _array(output["features"]).astype(np.float64), np.array(quality, dtype=np.float64)


def _array(value: Tensor) -> NDArray[np.float32]:
    return np.asarray(value.detach().float().cpu().numpy())
