"""Less memory for more arithmetic: parts of the network are run again in the backward pass instead of remembered."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper, checkpoint_wrapper


def checkpointed(network: nn.Module, units: Sequence[str]) -> nn.Module:
    """`network` that remembers only what goes into each of its `units` (arXiv:1604.06174): same values and gradients.

    `units`: names of submodules, `*` for any part of a name, such as "encoder.stages.*.*" for every block of every
    stage. Each is run a second time in the backward pass, so a step costs about a third more arithmetic and holds the
    inside of one unit at a time. A unit has to be a function of its inputs: no running statistics, no hidden state.
    ValueError where a name fits no submodule, or none that an earlier one has left.

    The names of the weights stay, so a checkpoint goes either way. TorchScript cannot run a unit twice: export from
    inference.json, whose network takes the same weights.
    """
    names = [name for name, _ in network.named_modules() if name.count(".") == 1]
    silent = [pattern for pattern in units if not checkpoint_units(network, pattern)]
    if silent or not units:
        raise ValueError(
            f"checkpointing: expected units that are submodules, such as {names[:4]}, found {silent or list(units)}; "
            "one within another, or named twice, is no unit of its own"
        )
    return network


def checkpoint_units(module: nn.Module, pattern: str, prefix: str = "") -> list[str]:
    """Wrap the submodules whose full name fits `pattern` in torch.utils.checkpoint, and return their names.

    The outermost that fits is the unit: what lies within it is run again anyway. Of a list or a dictionary of modules,
    which is never called itself, every entry is one.
    """
    found: list[str] = []
    for name, child in list(module.named_children()):
        full = f"{prefix}{name}"
        if isinstance(child, CheckpointWrapper):  # a unit already, run again as a whole
            continue
        if not fnmatchcase(full, pattern):
            found += checkpoint_units(child, pattern, f"{full}.")
        elif isinstance(child, nn.ModuleList | nn.ModuleDict):
            found += checkpoint_units(child, "*", f"{full}.")
        elif not any(isinstance(part, CheckpointWrapper) for part in child.modules()):
            module.register_module(name, checkpoint_wrapper(child))
            found.append(full)
    return found
