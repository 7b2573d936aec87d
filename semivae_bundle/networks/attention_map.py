"""Where an attention map passes through the network, so that it can be seen without being returned."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


class AttentionMap(nn.Identity):
    """An attention map on its way: (B, K, d, h, w) >= 0 in, the same out, K maps side by side.

    It computes nothing and holds nothing. A forward hook on it sees the map, so that neither SemiVAE's outputs nor
    TorchScript have to know that there are maps.
    """


def attention_per_partition(network: nn.Module, partition: Sequence[str]) -> dict[str, list[AttentionMap]]:
    """The maps behind the readouts that each partition reads, for partitions that have any.

    `network`: a SemiVAE, whose posterior holds the partitions in the order of `partition`. Empty for a network without
    attention maps, whatever else it has.
    """
    if not any(isinstance(module, AttentionMap) for module in network.modules()):
        return {}
    held = {
        name: [module for module in readout.modules() if isinstance(module, AttentionMap)]
        for name, readout in network.encoder.readouts.items()  # type: ignore[union-attr,operator]
    }
    found = {
        name: [one for read in part.reads for one in held.get(read, [])]
        for name, part in zip(partition, network.posterior.parts, strict=True)  # type: ignore[union-attr,arg-type]
    }
    return {name: maps for name, maps in found.items() if maps}
