"""Image -> feature vector, by way of a coarse tumour segmentation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from semivae_bundle.networks.blocks import ResidualBlock, group_norm
from semivae_bundle.networks.moments import MOMENTS, MomentPooling
from semivae_bundle.networks.partition import check_roi

CLASSES = 4  # background, NCR, ED, ET


class ResNetEncoder(nn.Module):
    """3-D ResNet (arXiv:1512.03385): (B, C, D, H, W) -> (B, feature_size), coarse tumour logits (B, 4, D/2, H/2, W/2).

    A stem of stride 2, then one stage per entry of `blocks`; each stage after the first halves the sides and doubles
    the channels. Three readings make the feature vector: every stage's spatial average, which counts; the last map on
    a coarse grid of at most `pool_size` cells a side, which keeps *where*; and the moments of a segmentation scored
    at every stage and summed on the finest (FCN, arXiv:1411.4038). The segmentation is supervised where a mask exists,
    so that the few labels teach every voxel instead of one number per scan.
    """

    def __init__(
        self,
        in_channels: int,
        roi_size: Sequence[int],
        base_filters: int,
        blocks: Sequence[int],
        norm_groups: int,
        pool_size: int,
        pool_channels: int,
        hidden_size: int,
    ) -> None:
        super().__init__()
        if min(in_channels, base_filters, hidden_size) < 1 or not blocks or min(blocks) < 1:
            raise ValueError(
                "encoder: in_channels, base_filters, hidden_size and every entry of blocks must be >= 1, found "
                f"{in_channels=}, {base_filters=}, {hidden_size=}, blocks={list(blocks)}"
            )
        factor = 2 ** len(blocks)
        check_roi(tuple(roi_size), factor)
        widths = [base_filters * 2**stage for stage in range(len(blocks))]
        self.stem = nn.Sequential(
            nn.Conv3d(in_channels, base_filters, 3, stride=2, padding=1, bias=False),
            group_norm(base_filters, norm_groups),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.ModuleList()
        previous = base_filters
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            first = ResidualBlock(previous, width, 1 if stage == 0 else 2, norm_groups)
            rest = [ResidualBlock(width, width, 1, norm_groups) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            previous = width
        self.scores = nn.ModuleList(nn.Conv3d(width, CLASSES, 1) for width in widths)
        cells = tuple(min(pool_size, side // factor) for side in roi_size)
        self.where = nn.Sequential(
            nn.Conv3d(previous, pool_channels, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool3d(cells), nn.Flatten()
        )
        self.moments = MomentPooling((roi_size[0] // 2, roi_size[1] // 2, roi_size[2] // 2))
        read = sum(widths) + pool_channels * cells[0] * cells[1] * cells[2] + CLASSES * MOMENTS
        self.join = nn.Sequential(nn.Linear(read, hidden_size), nn.SiLU())
        self.feature_size = hidden_size + CLASSES * MOMENTS

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, D, H, W) -> features (B, feature_size), tumour logits at half the image's sides."""
        x = self.stem(image)
        averages, scores = [], []
        for stage, score in zip(self.stages, self.scores):  # noqa: B905 - TorchScript knows no strict
            x = stage(x)
            averages.append(x.mean(dim=(2, 3, 4)))
            scores.append(score(x))
        logits = scores[-1]
        for finer in scores[:-1][::-1]:
            logits = finer + interpolate(logits, scale_factor=2.0, mode="trilinear", align_corners=False)
        # Detached: early on, the feature regression's large and aimless gradient would unlearn the segmentation.
        moments = self.moments(logits.detach())
        counts = torch.cat(averages, dim=1)
        read = torch.cat([counts, self.where(x), moments.to(x.dtype)], dim=1)
        # The moments also pass by themselves: a linear read-out of them is already a good volume and place.
        return torch.cat([self.join(read).float(), moments], dim=1), logits
