"""One scan, one feature: move the code, decode, measure what was drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.overlap import Labels, label_map
from semivae_bundle.evaluation.traversal_codes import Change, codes_along
from semivae_bundle.evaluation.traversal_request import compared_in
from semivae_bundle.features.measure import measure_mask
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import physical_table

BATCH = 4  # codes decoded at once


@dataclass(frozen=True)
class Traversal:
    """What heads were asked for and what the decoded map has, in S steps, for all F targets: (S, F) each.

    `requested` and `obtained` in normalised units, the `..._physical` ones in mm³, mm², mm from the centre or as
    ratios. An obtained shape is residualised on the volume of the map that has it. NaN where the map lacks the region.
    `change` (S, L) is what was added to the code.
    """

    scan: str
    patient: str
    position: int
    requested: FloatArray
    obtained: FloatArray
    requested_physical: FloatArray
    obtained_physical: FloatArray
    change: FloatArray


@dataclass(frozen=True)
class Drawn:
    """What the decoder drew in S steps: images (S, C, D, H, W) and label maps (S, D, H, W)."""

    images: NDArray[np.float32]
    maps: Labels


@torch.no_grad()
def decode(decoder: nn.Module, codes: Tensor) -> Drawn:
    """Codes (S, L) -> images and maps of the likeliest class. The decoder is taken in the mode that it is in."""
    images, maps = [], []
    for batch in codes.split(BATCH):
        image, logits = decoder(batch)
        images.append(image.float().cpu().numpy())
        maps += [label_map(one) for one in logits.float().cpu().numpy()]
    return Drawn(np.concatenate(images), np.stack(maps))


def traverse(
    network: nn.Module,
    normalizer: Normalizer,
    change: Change,
    mean: Tensor,
    values: Mapping[int, FloatArray],
    spacing_mm: Sequence[float],
    scan: str,
    patient: str,
) -> tuple[Traversal, Drawn]:
    """Move the code `mean` (L,) of a scan so that heads say `values`, position -> (S,) in normalised units. The first
    of them is the one that is judged. `change` is the direction, see traversal_codes.py.
    """
    heads, decoder = network.heads, network.decoder
    codes, said = codes_along(heads, change, mean, {j: torch.from_numpy(asked) for j, asked in values.items()})  # type: ignore[arg-type]
    drawn = decode(decoder, codes)  # type: ignore[arg-type]
    requested = said.double().cpu().numpy()
    table = pd.DataFrame([measure_mask(labels, spacing_mm, fov_mm=normalizer.fov_mm) for labels in drawn.maps])
    obtained, present = normalizer.transform(table)
    return (
        Traversal(
            scan=scan,
            patient=patient,
            position=next(iter(values)),
            requested=requested,
            obtained=np.where(present, obtained.astype(np.float64), np.nan),
            requested_physical=normalizer.physical_table(requested).to_numpy(),
            obtained_physical=physical_table(table[list(normalizer.columns)], normalizer.fov_mm).to_numpy(),
            change=(codes - mean).double().cpu().numpy(),
        ),
        drawn,
    )


def compared(one: Traversal, column: str) -> tuple[FloatArray, FloatArray]:
    """Requested and obtained values (S,) of the moved feature, in what `compared_in` says."""
    unit = compared_in(column)
    if unit == "normalised":
        return one.requested[:, one.position], one.obtained[:, one.position]
    requested, obtained = one.requested_physical[:, one.position], one.obtained_physical[:, one.position]
    return (np.log(requested), np.log(obtained)) if unit == "ln mm3" else (requested, obtained)
