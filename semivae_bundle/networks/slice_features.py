"""A network of photographs -> features of a scan, slice by slice in three planes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from semivae_bundle.networks.pooled_features import check_shown, check_views

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SliceFeatures(nn.Module):
    """Class token and mean patch token of a vision transformer, averaged over slices: (B, 4, D, H, W) -> (B, size).

    `network`: (N, 3, side, side) -> something with `last_hidden_state` (N, 1 + patches, `width`), the class token
    first, as transformers' Dinov2Model (arXiv:2304.07193). `slices` of each plane, evenly spaced over the central
    `share` of the scan. Not through the tumour as the encoder sees it: that moves while the encoder learns, and a fixed
    function of the scan does not. `views`: three image channels each, shown as red, green and blue; the features of all
    views are joined, so that `size` = 2 `width` times their number. `window`: the z-scores shown as black and white;
    what lies outside the brain is black. `side` in pixels, a multiple of `patch_size`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        width: int,
        patch_size: int,
        side: int,
        slices: int,
        share: float,
        views: Sequence[Sequence[int]],
        window: Sequence[float],
    ) -> None:
        super().__init__()
        if side < patch_size or side % patch_size:
            nearest = max(1, round(side / patch_size)) * patch_size
            raise ValueError(f"slices: expected a side that {patch_size} divides, found {side}; {nearest} fits")
        if slices < 1 or not 0 < share <= 1 or not window[0] < window[1]:
            raise ValueError(
                "slices: expected slices >= 1, a share in (0, 1] and a window that rises, found "
                f"{slices=}, {share=}, window={list(window)}"
            )
        self.network, self.side, self.slices, self.share = network, side, slices, share
        self.views, self.window = check_views(views), (float(window[0]), float(window[1]))
        if any(len(view) != 3 for view in self.views):
            raise ValueError(
                f"slices: expected three channels in every view, found {self.views}; repeat one if need be"
            )
        self.size = 2 * width * len(self.views)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).reshape(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, D, H, W), z-scored over the brain and 0 outside -> (B, size)."""
        check_shown(self.views, image)
        low, high = self.window
        shown = ((image.float() - low) / (high - low)).clamp(0, 1) * (image != 0).any(dim=1, keepdim=True)
        slices = self.slices_of(shown)
        read = []
        for view in self.views:
            tokens = self.network((slices[:, view] - self.mean) / self.std).last_hidden_state
            both = torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1).float()
            read.append(both.unflatten(0, (image.shape[0], -1)).mean(dim=1))
        return torch.cat(read, dim=1)

    def slices_of(self, image: Tensor) -> Tensor:
        """(B, C, D, H, W) -> sagittal, coronal and axial slices (B 3 slices, C, side, side), scan by scan."""
        planes = []
        for axis in (2, 3, 4):
            places = slice_places(image.shape[axis], slices=self.slices, share=self.share)
            cut = image[(slice(None),) * axis + (places,)].movedim(axis, 1)
            plane = interpolate(cut.flatten(0, 1), (self.side, self.side), mode="bilinear", antialias=True)
            planes.append(plane.unflatten(0, (image.shape[0], self.slices)))
        return torch.cat(planes, dim=1).flatten(0, 1)


def slice_places(side: int, *, slices: int, share: float) -> list[int]:
    """Places of `slices` slices, evenly spaced over the central `share` of `side` voxels."""
    start = (1 - share) / 2
    return [int(side * (start + share * (i + 0.5) / slices)) for i in range(slices)]
