"""Codes of scans at another volume, with the later partitions inferred or sampled by the learned prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from semivae_bundle.data.files import write_text_atomically
from semivae_bundle.evaluation.predictions import latent_columns
from semivae_bundle.evaluation.traversal_codes import nearest_change
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import feature_of
from semivae_bundle.networks.partition import partition_slices

VOLUME = "vol"


def counterfactual(
    latents: pd.DataFrame,
    network: nn.Module,
    normalizer: Normalizer,
    partition: Mapping[str, int],
    *,
    volume_factor: float,
    noise: Callable[[Tensor], Tensor],
) -> pd.DataFrame:
    """Each scan's code with all its predicted volumes times `volume_factor`: mean_<partition>_<i>, then what the heads
    say of it, in physical units. The partition of the volumes is set, moved along its heads' directions
    (`StructuredHeads.inverse`); the later ones follow by the network's prior.

    `latents`: the table of an inference, a row per scan. `network`: HierarchicalSemiVAE with its weights, in evaluation
    mode. `noise`: from each scan's own noise (n, L) to the one that is used: `torch.clone` keeps what is particular to
    the scan, `torch.zeros_like` takes what the prior expects, `torch.randn_like` samples. Decode a code with
    `network.decoder`. What would have been, as far as the prior is true; it knows of no time and of no treatment.
    """
    columns = [f"mean_{name}" for name in latent_columns(partition)]
    _check(latents, columns, network, volume_factor)
    heads, prior = network.heads, network.prior
    codes = torch.from_numpy(latents[columns].to_numpy(dtype=np.float32, copy=True)).to(next(network.parameters()))
    with torch.no_grad():
        predicted = heads(codes)  # type: ignore[operator]
        asked = _volumes_times(volume_factor, predicted, normalizer)
        moved = codes + nearest_change(heads)(codes, predicted, asked)  # type: ignore[arg-type]
        is_set = torch.zeros(codes.shape[1], dtype=torch.bool, device=codes.device)
        is_set[partition_slices(partition)[VOLUME]] = True
        found = prior.top_down(noise(prior.noise_of(codes)), moved, is_set)  # type: ignore[operator, union-attr]
        said = heads(found)  # type: ignore[operator]
    table = pd.DataFrame(found.double().cpu().numpy(), columns=columns, index=latents.index)
    features = normalizer.possible_table(said.double().cpu().numpy()).set_index(latents.index)
    return pd.concat([table, features], axis="columns")


def write_counterfactuals(
    latents_file: str | Path,
    file: str | Path,
    network: nn.Module,
    normalizer: Normalizer,
    partition: Mapping[str, int],
    volume_factor: float,
    noise: Callable[[Tensor], Tensor],
) -> None:
    """`counterfactual` of the scans of latents.csv, to a CSV file. The latents have to be of the same weights."""
    if not Path(latents_file).is_file():
        raise FileNotFoundError(f"counterfactual: expected a table of latents, {latents_file}; run inference first")
    latents = pd.read_csv(latents_file, index_col="subject", dtype={"subject": str})
    table = counterfactual(latents, network, normalizer, partition, volume_factor=volume_factor, noise=noise)
    write_text_atomically(file, table.to_csv(lineterminator="\n", float_format="%.9g"))
    print(f"{file}: written")


def _check(latents: pd.DataFrame, columns: list[str], network: nn.Module, volume_factor: float) -> None:
    if missing := [name for name in columns if name not in latents]:
        raise ValueError(f"counterfactual: expected latents with {len(columns)} means, found none for {missing[:4]}")
    if not 0 < volume_factor < float("inf"):
        raise ValueError(f"volume_factor: expected a finite number > 0, found {volume_factor}")
    if not hasattr(network, "prior"):
        raise ValueError(
            f"counterfactual: expected a network with a learned prior, found {type(network).__name__}; train with "
            "configs/recipes/hierarchy.yaml"
        )


def _volumes_times(factor: float, predicted: Tensor, normalizer: Normalizer) -> Tensor:
    """Predictions (n, F) with every volume `factor` times what it is; one at or below 0 mm³ has no multiples.

    The others keep their standardised values: a shape that is residualised on the volume goes along with it, a volume
    that is residualised on another is what is asked for.
    """
    raw, asked = normalizer.inverse(predicted.double().cpu().numpy()), predicted.clone()
    volumes = [place for place, scale in enumerate(normalizer.scales) if feature_of(scale.column).partition == VOLUME]
    volume_mm3 = np.maximum(np.expm1(raw[:, volumes]), 1.0)
    more = raw.copy()
    more[:, volumes] += np.log1p(factor * volume_mm3) - np.log1p(volume_mm3)
    change = normalizer.standardise(more) - normalizer.standardise(raw)
    asked[:, volumes] += torch.from_numpy(change[:, volumes]).to(asked)
    return asked
