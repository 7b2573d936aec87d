"""What a network's attention maps were in its latest forward, and how much of them lies where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool3d, interpolate
from torch.utils.hooks import RemovableHandle

from semivae_bundle.networks.attention_map import AttentionMap, attention_per_partition


class AttentionWatch:
    """Sees the attention maps of a network while it runs, by partition; a network without any is not touched.

    `partition`: the names of the partitions, in the order of the network. Between `start` and `stop` forward hooks keep
    the maps of the latest batch.
    """

    def __init__(self, network: nn.Module, partition: Sequence[str]) -> None:
        self.modules = attention_per_partition(network, list(partition))
        self.seen: dict[AttentionMap, Tensor] = {}
        self.hooks: list[RemovableHandle] = []

    @property
    def names(self) -> list[str]:
        """Partitions that have a map."""
        return list(self.modules)

    def start(self) -> None:
        """Watch, from the next forward on."""
        self.stop()
        watched = {module for modules in self.modules.values() for module in modules}
        self.hooks = [module.register_forward_hook(self._keep) for module in watched]

    def stop(self) -> None:
        """Take the hooks out and forget the maps."""
        for hook in self.hooks:
            hook.remove()
        self.hooks = []
        self.seen.clear()

    def latest(self) -> dict[str, list[Tensor]]:
        """Partition -> its maps (B, K, d, h, w) in the latest forward, float32."""
        return {name: [self.seen[module] for module in modules] for name, modules in self.modules.items()}

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.seen[module] = output.detach().float()  # type: ignore[index]


def enlarged(maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Maps (B, K, d, h, w) of several grids on one, trilinear, side by side: (B, sum of K, *size)."""
    return torch.cat([interpolate(one, size=list(size), mode="trilinear", align_corners=False) for one in maps], dim=1)


def share_inside(maps: Sequence[Tensor], region: Tensor) -> Tensor:
    """Share of the maps' mass that lies in a region, mean over all maps: (B,), in [0, 1].

    `maps` (B, K, d, h, w) >= 0 each; `region` (B, 1, D, H, W), the part of each voxel that is inside. A cell of a map
    counts by the part of it that is inside. NaN where a map is zero everywhere.
    """
    shares = []
    for one in maps:
        depth, height, width = one.shape[2:]
        inside = adaptive_avg_pool3d(region.float(), (depth, height, width))
        shares.append((one * inside).sum(dim=(2, 3, 4)) / one.sum(dim=(2, 3, 4)))
    return torch.cat(shares, dim=1).mean(dim=1)
