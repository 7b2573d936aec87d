"""A training that does not begin from nothing."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from semivae_bundle.training.weights_file import misfit_of, read_state
from semivae_bundle.training.weights_record import require_made_of


def started_from(network: nn.Module, weights_file: str | Path) -> nn.Module:
    """`network` with the weights of a local file (see `read_state`), every one of them free to change.

    A training that resumes replaces them by those of its `last.pt`. FileNotFoundError without a file, ValueError for
    the weights of another network, or of one with other options.
    """
    if not Path(weights_file).is_file():
        raise FileNotFoundError(
            f"initial_weights: expected a local file of weights, found none at {weights_file}; pass --initial_weights "
            "FILE"
        )
    state = read_state(weights_file)
    if misfit := misfit_of(state, network):
        raise ValueError(
            f"{weights_file}: does not fit the network that is to start from it: {misfit}; lay the recipes and options "
            "of its training below this one"
        )
    require_made_of(weights_file, network)
    network.load_state_dict(state)
    return network
