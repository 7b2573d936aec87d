"""What a network's attention maps were in its latest forward, and how much of them lies where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d, interpolate, pad
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
    """Maps (B, K, d, h, w) of several grids on one, trilinear, side by side: (B, sum of K, *size).

    Cell i of a map of stride s lies on voxel s i, where the encoder's convolutions of stride 2 centre it; beyond the
    last cell its value goes on. ValueError unless each side of `size` is a multiple of the map's.
    """
    return torch.cat([_enlarged(one, _strides(one, size)) for one in maps], dim=1)


def share_inside(maps: Sequence[Tensor], region: Tensor) -> Tensor:
    """Share of the maps' mass that lies in a region, mean over all maps: (B,), in [0, 1].

    `maps` (B, K, d, h, w) >= 0 each; `region` (B, 1, D, H, W), the part of each voxel that is inside. A cell of a map
    counts by the part of it that is inside, a box of the stride's sides about its voxel (see `enlarged`). NaN where a
    map is zero everywhere.
    """
    shares = []
    for one in maps:
        inside = _cells(region.float(), _strides(one, region.shape[2:]))
        shares.append((one * inside).sum(dim=(2, 3, 4)) / one.sum(dim=(2, 3, 4)))
    return torch.cat(shares, dim=1).mean(dim=1)


def _strides(one: Tensor, size: Sequence[int]) -> list[int]:
    sides = one.shape[2:]
    if any(voxels % cells for voxels, cells in zip(size, sides, strict=True)):
        raise ValueError(f"attention map: expected sides that divide those of the grid, {list(size)}, found {sides}")
    return [voxels // cells for voxels, cells in zip(size, sides, strict=True)]


def _enlarged(one: Tensor, strides: Sequence[int]) -> Tensor:
    spanned = [stride * (cells - 1) + 1 for stride, cells in zip(strides, one.shape[2:], strict=True)]
    between = interpolate(one, size=spanned, mode="trilinear", align_corners=True)
    return pad(between, [side for stride in reversed(strides) for side in (0, stride - 1)], mode="replicate")


def _cells(region: Tensor, strides: Sequence[int]) -> Tensor:
    """Part of each cell that is inside: a box of an even stride ends within voxels, of which it has half."""
    widths = [side for stride in reversed(strides) for side in (stride // 2, stride // 2)]
    halves = avg_pool3d(pad(region, widths), [2 - stride % 2 for stride in strides], stride=1)
    return avg_pool3d(halves, list(strides))
