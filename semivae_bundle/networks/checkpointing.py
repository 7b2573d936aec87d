"""Less memory for more arithmetic: parts of the network are run again in the backward pass instead of remembered."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

from semivae_bundle.networks.semivae import SemiVAE


class CheckpointedSemiVAE(SemiVAE):
    """SemiVAE that remembers only what goes into each of its `units` (arXiv:1604.06174): same values and gradients.

    `units`: names of submodules, `*` for any part of a name, such as "encoder.stages.*.*" for every block of every
    stage. Each is run a second time in the backward pass, so a step costs about a third more arithmetic and holds the
    inside of one unit at a time. A unit has to be a function of its inputs: no running statistics, no hidden state.

    The names of the weights are those of SemiVAE, so a checkpoint goes either way. TorchScript cannot run a unit twice:
    export from inference.json without this recipe, whose network takes the same weights.
    """

    def __init__(self, units: Sequence[str], **components: nn.Module) -> None:
        super().__init__(**components)  # type: ignore[arg-type]
        silent = [pattern for pattern in units if not checkpoint_units(self, pattern)]
        if silent or not units:
            names = [name for name, _ in self.named_modules() if name.count(".") == 1]
            raise ValueError(
                f"checkpointing: expected units that are submodules, such as {names[:4]}, found {silent or list(units)}"
            )


def checkpoint_units(module: nn.Module, pattern: str, prefix: str = "") -> list[str]:
    """Wrap the submodules whose full name fits `pattern` in torch.utils.checkpoint, and return their names.

    The outermost that fits is the unit: what lies within it is run again anyway.
    """
    found = []
    for name, child in list(module.named_children()):
        full = f"{prefix}{name}"
        if fnmatchcase(full, pattern):
            module.register_module(name, checkpoint_wrapper(child))
            found.append(full)
        else:
            found += checkpoint_units(child, pattern, f"{full}.")
    return found
