"""A network of volumes -> its deepest features, averaged over the volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def check_views(views: Sequence[Sequence[int]]) -> list[list[int]]:
    """The views as lists; raises ValueError unless there are some, each with a channel, numbered from 0."""
    if not views or any(not view or min(view) < 0 for view in views):
        raise ValueError(
            "views: expected lists of image channels, such as [[0, 1, 2, 3]] for all four together or "
            f"[[0], [1], [2], [3]] for each by itself, found {views}"
        )
    return [list(view) for view in views]


def check_shown(views: Sequence[Sequence[int]], image: Tensor) -> None:
    """Raise ValueError unless `image` (B, C, D, H, W) has every channel that the views name."""
    if (last := max(max(view) for view in views)) >= image.shape[1]:
        raise ValueError(
            f"views: {[list(view) for view in views]} name channel {last}, numbered from 0, and the image has "
            f"{image.shape[1]}; name channels that it has"
        )


class PooledFeatures(nn.Module):
    """Deepest features of `network`, averaged over all places: (B, C, D, H, W) -> (B, size).

    `network`: (B, n, D, H, W) -> one map (B, `width`, ...), a list of maps whose last is the deepest, as
    monai.networks.nets.swin_unetr.SwinTransformer gives (arXiv:2201.01266), or (B, `width`). `views`: for each pass
    through it the n image channels that it sees, in its own order; the features of all views are joined, so that
    `size` = `width` times their number. The image is z-scored per channel over the brain and 0 outside.
    """

    def __init__(self, network: nn.Module, width: int, views: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.network = network
        self.views = check_views(views)
        self.size = width * len(self.views)

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, D, H, W) -> (B, size)."""
        check_shown(self.views, image)
        pooled = []
        for view in self.views:
            maps = self.network(image[:, view])
            deepest = maps if isinstance(maps, Tensor) else maps[-1]
            pooled.append(deepest.float().flatten(2).mean(dim=2) if deepest.ndim > 2 else deepest.float())
        return torch.cat(pooled, dim=1)
