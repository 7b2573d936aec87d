"""Scans -> mean codes and what the heads say of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from semivae_bundle.evaluation.bootstrap import FloatArray


@dataclass(frozen=True)
class EncodedScans:
    """Names of n scans, their mean codes (n, L) and predictions (n, F) in normalised units."""

    scans: tuple[str, ...]
    codes: FloatArray
    predicted: FloatArray


@torch.no_grad()
def encode_scans(
    dataset: Sequence[Mapping[str, Any]], network: nn.Module, most: int, *, progress: bool
) -> EncodedScans:
    """The first `most` scans of `dataset`, one after the other, by `network` in the mode that it is in."""
    device = next(network.parameters()).device
    scans, codes, predicted = [], [], []
    chosen = range(min(most, len(dataset)))
    for index in tqdm(chosen, desc="encode", unit="scan", file=sys.stdout, disable=not progress):
        item = dataset[index]
        mean = network.encode(item["image"][None].to(device))[0]  # type: ignore[operator]
        scans.append(str(item["subject"]))
        codes.append(mean[0].double().cpu().numpy())
        predicted.append(network.heads(mean)[0].double().cpu().numpy())  # type: ignore[operator]
    return EncodedScans(tuple(scans), np.stack(codes), np.stack(predicted))
