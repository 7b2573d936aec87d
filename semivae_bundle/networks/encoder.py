"""Image -> features by name, by way of a tumour segmentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from monai.networks import eval_mode
from torch import Tensor, nn
from torch.nn.functional import interpolate

from semivae_bundle.networks.blocks import BACKGROUND_LOGIT, ResidualBlock, SubpixelUpsample, group_norm
from semivae_bundle.networks.moments import FORM, PLACE, SIZE, MomentPooling
from semivae_bundle.networks.partition import check_roi
from semivae_bundle.networks.stage_channels import check_stages

CLASSES = 4  # background, NCR, ED, ET
FEATURES = ("appearance", "size", "place", "form")
"""What every encoder gives; anything else is an addition that a partition has to read."""


class ResNetEncoder(nn.Module):
    """3-D ResNet (arXiv:1512.03385): (B, C, D, H, W) -> features by name, each (B, n); tumour logits (B, 4, D, H, W).

    A stem of stride 2, then one stage per entry of `blocks`; each stage after the first halves the sides and doubles
    the channels. `appearance` reads every stage's spatial average, which counts, and the last map on a coarse grid of
    at most `pool_size` cells a side, which keeps *where*. `size`, `place` and `form` are the moments of a segmentation
    read from a feature pyramid over the stages (arXiv:1612.03144). The segmentation is supervised where a mask exists,
    so that the few labels teach every voxel instead of one number per scan.

    `readouts` adds features by its own names: modules with an int `size` and
    (image (B, C, D, H, W), maps of the stages, finest first, tumour logits (B, 4, D, H, W)) -> (B, size). The logits
    come without gradient, for the moments' reason.

    `stem`: (B, in_channels, D, H, W) -> (B, base_filters, D/2, H/2, W/2) in place of the plain one, a convolution over
    all channels at once.

    `refinement`: called with in_channels, features (of the maps), classes and norm_groups, makes the module
    (image, maps at half the sides) -> what is added to the tumour logits, such as SegmentationRefinement; none by
    default. Made here, as only an encoder knows its channels: those for subsets of modalities have more than the image.

    `feature_sizes` says how many numbers each name has. They are kept apart so that a posterior can choose: a feature
    regressed from appearance as well learns a cohort of a thousand scans by heart.
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
        readouts: Mapping[str, nn.Module] | None = None,
        stem: nn.Module | None = None,
        refinement: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        sizes = (in_channels, base_filters, hidden_size, pool_size, pool_channels)
        if min(sizes) < 1 or not blocks or min(blocks) < 1:
            raise ValueError(
                "encoder: in_channels, base_filters, hidden_size, pool_size, pool_channels and every entry of blocks "
                f"must be >= 1, found {in_channels=}, {base_filters=}, {hidden_size=}, {pool_size=}, {pool_channels=}, "
                f"blocks={list(blocks)}"
            )
        factor = 2 ** len(blocks)
        check_roi(tuple(roi_size), factor)
        widths = [base_filters * 2**stage for stage in range(len(blocks))]
        self.stem = stem or plain_stem(in_channels, base_filters, norm_groups)
        check_stem(self.stem, in_channels, base_filters)
        self.stages = nn.ModuleList()
        previous = base_filters
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            first = ResidualBlock(previous, width, 1 if stage == 0 else 2, norm_groups)
            rest = [ResidualBlock(width, width, 1, norm_groups) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            previous = width
        self.laterals = nn.ModuleList(nn.Conv3d(width, base_filters, 1) for width in widths)
        self.smooth = ResidualBlock(base_filters, base_filters, 1, norm_groups)
        self.segment = SubpixelUpsample(base_filters, CLASSES)
        with torch.no_grad():
            self.segment.expand.bias.reshape(CLASSES, -1)[0] = BACKGROUND_LOGIT  # type: ignore[union-attr]
        self.refinement: nn.Module | None = None
        if refinement is not None:
            self.refinement = refinement(
                in_channels=in_channels, features=base_filters, classes=CLASSES, norm_groups=norm_groups
            )
        cells = tuple(min(pool_size, side // factor) for side in roi_size)
        self.where = nn.Sequential(
            nn.Conv3d(previous, pool_channels, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool3d(cells), nn.Flatten()
        )
        self.moments = MomentPooling((roi_size[0], roi_size[1], roi_size[2]))
        read = sum(widths) + pool_channels * cells[0] * cells[1] * cells[2]
        # The residual stream grows as training goes on; unnormalised, the latent means would grow with it.
        self.appearance = nn.Sequential(nn.LayerNorm(read), nn.Linear(read, hidden_size), nn.SiLU())
        counts = (hidden_size, CLASSES * SIZE, CLASSES * PLACE, CLASSES * FORM)
        self.feature_sizes = dict(zip(FEATURES, counts, strict=True))
        self.readouts = nn.ModuleDict(readouts or {})
        taken = [name for name in self.readouts if name in self.feature_sizes]
        if taken:
            raise ValueError(f"encoder: readouts need names other than {list(self.feature_sizes)}, found {taken}")
        check_stages(dict(self.readouts.items()), widths)
        self.feature_sizes |= {name: int(readout.size) for name, readout in self.readouts.items()}  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(B, C, D, H, W) -> features by name, float32; tumour logits (B, 4, D, H, W)."""
        appearance, maps, logits = self.look(image)
        # Detached: early on, the feature regression's large and aimless gradient would unlearn the segmentation.
        size, place, form = self.moments(logits.detach())
        features = {"appearance": appearance, "size": size, "place": place, "form": form}
        for name, readout in self.readouts.items():
            features[name] = readout(image, maps, logits.detach())
        return features, logits

    def look(self, image: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """(B, C, D, H, W) -> appearance (B, hidden_size), float32; maps of the stages, finest first; tumour logits
        (B, 4, D, H, W).
        """
        x = self.stem(image)
        maps, averages, laterals = [], [], []
        for stage, lateral in zip(self.stages, self.laterals):  # noqa: B905 - TorchScript knows no strict
            x = stage(x)
            maps.append(x)
            averages.append(x.mean(dim=(2, 3, 4)))
            laterals.append(lateral(x))
        pyramid = laterals[-1]
        for finer in laterals[:-1][::-1]:
            pyramid = finer + interpolate(pyramid, scale_factor=2.0, mode="trilinear", align_corners=False)
        pyramid = self.smooth(torch.relu(pyramid))
        logits = self.segment(pyramid)
        if self.refinement is not None:
            logits = logits + self.refinement(image, pyramid)
        read = torch.cat([torch.cat(averages, dim=1), self.where(x)], dim=1)
        return self.appearance(read).float(), maps, logits


def plain_stem(in_channels: int, out_channels: int, norm_groups: int) -> nn.Sequential:
    """All channels mixed by one convolution of stride 2: (B, in_channels, D, ...) -> (B, out_channels, D/2, ...)."""
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        group_norm(out_channels, norm_groups),
        nn.ReLU(inplace=True),
    )


def check_stem(stem: nn.Module, in_channels: int, out_channels: int) -> None:
    """Raise ValueError unless `stem` takes `in_channels` and gives `out_channels` at half the sides."""
    expected = (1, out_channels, 4, 4, 4)
    try:
        # In evaluation mode, so that no running statistic sees the zeros. Without gradient.
        with eval_mode(stem):
            found: tuple[int, ...] | str = tuple(stem(torch.zeros(1, in_channels, 8, 8, 8)).shape)
    except RuntimeError as error:
        found = str(error)
    if found != expected:
        raise ValueError(
            f"encoder: expected a stem that takes {(1, in_channels, 8, 8, 8)} to {expected}, found {found}; give it "
            "the encoder's in_channels and base_filters"
        )
