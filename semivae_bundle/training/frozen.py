"""Weights that somebody else trained, from a local file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from semivae_bundle.training.weights_file import WeightsFile, check_sha256, misfit_of, read_state
from semivae_bundle.training.weights_record import require_made_of


def frozen_network(network: nn.Module, weights_file: str | Path | None, sha256: str | None) -> nn.Module:
    """`network` with the weights of a local file, without gradient and in evaluation mode. Nothing is downloaded.

    `weights_file`: see `read_state`. It has to fit exactly. `sha256`: what `sha256sum` prints for the file, or None to
    take the file as it is. Raises FileNotFoundError without a file, ValueError for one with another hash or other
    weights, or for those of a network with other options.
    """
    if weights_file is None or not Path(weights_file).is_file():
        raise FileNotFoundError(
            f"frozen network {type(network).__name__}: expected a local file of weights, found {weights_file}; "
            "nothing is downloaded, so fetch it yourself and say where it is"
        )
    if sha256 is not None:
        check_sha256(weights_file, sha256)
    fitted = _fitted(network, read_state(weights_file), weights_file)
    require_made_of(weights_file, fitted)
    return fitted


def pretrained_network(
    network: nn.Module, weights: WeightsFile, prefix: str, rename: Mapping[str, str], leave_out: Sequence[str]
) -> nn.Module:
    """As `frozen_network`, from a file whose names are not those of `network`.

    Of the names in the file those that begin with `prefix` are taken, without it, but for those that then begin with an
    entry of `leave_out`; then each key of `rename` becomes its value wherever it stands. What is left has to fit
    exactly.
    """
    file = weights.path()
    state = read_state(file)
    taken = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    if not taken:
        raise ValueError(
            f"{file}: expected names that begin with {prefix!r}, found {list(state)[:5]}; change the prefix"
        )
    renamed = {}
    for name, value in taken.items():
        if not name.startswith(tuple(leave_out)):
            for old, new in rename.items():
                name = name.replace(old, new)
            renamed[name] = value
    return _fitted(network, renamed, file)


def _fitted(network: nn.Module, state: Mapping[str, Tensor], file: str | Path) -> nn.Module:
    if misfit := misfit_of(state, network):
        raise ValueError(f"{file}: not the weights of {type(network).__name__}: {misfit}")
    network.load_state_dict(state)
    return network.requires_grad_(False).eval()
