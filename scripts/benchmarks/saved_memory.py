"""What a training step holds between forward and backward, counted exactly and without running out of anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


def saved_activation_mib(forward: Callable[[], Tensor], held: Iterable[Tensor]) -> float:
    """MiB of the tensors that `forward` saves for its backward pass, each storage counted once and as a whole.

    `held`: what is there anyway, such as parameters, buffers and the batch. Of units that are checkpointed only the
    inputs count: the inside of one of them at a time comes on top in the backward pass.
    """
    known = {tensor.untyped_storage().data_ptr() for tensor in held}
    saved: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        # The tensor is kept too: a freed storage's address would be given to another.
        address = tensor.untyped_storage().data_ptr()
        if address not in known:
            saved[address] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        result = forward()
    total = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    del result
    return total / 2**20


def held_by(*modules: torch.nn.Module) -> list[Tensor]:
    """Parameters and buffers."""
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
