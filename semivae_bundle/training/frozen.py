"""Weights that somebody else trained, from a local file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from semivae_bundle.data.files import sha256_of_file


def frozen_network(network: nn.Module, weights_file: str | Path | None, sha256: str | None) -> nn.Module:
    """`network` with the weights of a local file, without gradient and in evaluation mode. Nothing is downloaded.

    `weights_file`: a state dict as torch.save writes it, bare or under the key "state_dict", its names with or without
    the "module." of data-parallel training. It has to fit exactly. `sha256`: what `sha256sum` prints for the file, or
    None to take the file as it is. Raises FileNotFoundError without a file, ValueError for one with another hash or
    other weights.
    """
    if weights_file is None or not Path(weights_file).is_file():
        raise FileNotFoundError(
            f"frozen network {type(network).__name__}: expected a local file of weights, found {weights_file}; "
            "nothing is downloaded, so fetch it yourself and say where it is"
        )
    found = sha256_of_file(weights_file)
    if sha256 is not None and found != sha256.lower():
        raise ValueError(f"{weights_file}: expected SHA-256 {sha256}, found {found}; it is another file, or damaged")
    state = torch.load(weights_file, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    try:
        network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"{weights_file}: not the weights of {type(network).__name__}: {error}") from error
    return network.requires_grad_(False).eval()
