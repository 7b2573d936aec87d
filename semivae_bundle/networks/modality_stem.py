"""A first layer that reads every modality by itself before it mixes them."""

from __future__ import annotations

from torch import Tensor, nn

from semivae_bundle.networks.blocks import group_norm


class ModalityStem(nn.Module):
    """One convolution of stride 2 and one norm per modality, then a 1x1x1 fusion: (B, M, D, H, W) -> (B, C, D/2, ...).

    A plain stem adds the modalities up in its first convolution, so each of its features scales with the contrast of
    all of them. Here `filters` features of each modality are normalised by themselves first, and the fusion weighs what
    is seen instead of how bright it is: the branches of arXiv:1607.05194, of one layer. The group norm has one group
    per modality, so a modality that is absent leaves the features of the others as they are.
    """

    def __init__(self, modalities: int, filters: int, out_channels: int, norm_groups: int) -> None:
        super().__init__()
        if min(modalities, filters, out_channels) < 1:
            raise ValueError(
                "modality stem: expected modalities, filters and out_channels >= 1, found "
                f"{modalities=}, {filters=}, {out_channels=}"
            )
        width = modalities * filters
        self.separate = nn.Sequential(
            nn.Conv3d(modalities, width, 3, stride=2, padding=1, groups=modalities, bias=False),
            nn.GroupNorm(modalities, width),
            nn.ReLU(inplace=True),
        )
        self.fuse = nn.Sequential(
            nn.Conv3d(width, out_channels, 1, bias=False), group_norm(out_channels, norm_groups), nn.ReLU(inplace=True)
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, M, D, H, W) -> (B, out_channels, D/2, H/2, W/2). `separate` has `filters` channels of each modality."""
        fused: Tensor = self.fuse(self.separate(image))
        return fused
