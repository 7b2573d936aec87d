"""Resampling to the model's field of view, and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, TraceableTransform
from torch import Tensor

from semivae_bundle.data.resampling import resample_centred


class FieldOfView(InvertibleTransform):
    """A cube of `fov_mm` about the centre of the image's own grid, as `roi_size` voxels: (C, D, H, W) -> (C,
    *roi_size).

    The field of view is physical: a 240 mm cube holds any adult brain whatever the voxel size. The inverse interpolates
    linearly back to the input grid, so an output lies on the user's image voxel by voxel; beyond the cube it is 0.
    """

    def __init__(self, roi_size: Sequence[int], fov_mm: Sequence[float]) -> None:
        if len(roi_size) != 3 or len(fov_mm) != 3 or min(roi_size) < 1 or min(fov_mm) <= 0:
            raise ValueError(
                f"field of view: expected three positive sides each, found roi_size={roi_size}, fov_mm={fov_mm}"
            )
        self.roi_size = tuple(int(side) for side in roi_size)
        self.spacing = tuple(float(mm) / side for mm, side in zip(fov_mm, self.roi_size, strict=True))

    def __call__(self, image: Tensor) -> Tensor:
        """Resample one channel-first volume; a MetaTensor keeps its affine true."""
        size_in = tuple(image.shape[1:])
        spacing_in = _spacing(image)
        out = MetaTensor(resample_centred(image.as_tensor(), spacing_in, self.roi_size, self.spacing))  # type: ignore[attr-defined]
        meta = TraceableTransform.track_transform_meta(
            image,
            sp_size=self.roi_size,
            affine=_index_affine(size_in, spacing_in, self.roi_size, self.spacing),
            extra_info={"spacing_in": spacing_in},
            orig_size=size_in,
            transform_info=self.get_transform_info(),
        )
        return out.copy_meta_from(meta)

    def inverse(self, data: Tensor) -> Tensor:
        """Back to the grid before the transform."""
        transform = self.pop_transform(data)
        size, spacing = transform["orig_size"], transform["extra_info"]["spacing_in"]
        out = MetaTensor(resample_centred(data.as_tensor(), self.spacing, size, spacing))  # type: ignore[attr-defined]
        out.copy_meta_from(data)
        step = torch.as_tensor(_index_affine(self.roi_size, self.spacing, size, spacing), dtype=torch.float64)
        out.affine = data.affine.double() @ step  # type: ignore[attr-defined]
        return out


class BrainFieldOfView(FieldOfView):
    """FieldOfView of a skull-stripped image, z-scored over the brain per channel; outside the brain it is 0.

    Only brain voxels enter an average, so the brain has no dark rim, and the z-score is taken on the model's own grid:
    averaging many small voxels shrinks their spread, and a fine scan would otherwise look flatter than a coarse one.
    The brain is where any channel is not 0, for more than half of an output voxel.
    """

    def __call__(self, image: Tensor) -> Tensor:
        """(C, D, H, W) raw intensities -> (C, *roi_size)."""
        brain = (image != 0).any(dim=0, keepdim=True).to(torch.float32)
        fraction = super().__call__(brain).as_tensor()  # type: ignore[attr-defined]
        out = super().__call__(image)
        inside = fraction[0] > 0.5
        if int(inside.sum()) < 2:
            raise ValueError(
                f"field of view: {int(inside.sum())} of its voxels are not 0; expected a skull-stripped brain near its "
                "centre"
            )
        values = out.as_tensor()[:, inside] / fraction[:, inside]  # type: ignore[attr-defined]
        mean, std = values.mean(dim=1, keepdim=True), values.std(dim=1, keepdim=True)
        out.zero_()
        out[:, inside] = (values - mean) / std.clamp(min=1e-8)
        return out


class FieldOfViewd(MapTransform, InvertibleTransform):
    """Dictionary form of FieldOfView."""

    array_class: type[FieldOfView] = FieldOfView

    def __init__(
        self, keys: KeysCollection, roi_size: Sequence[int], fov_mm: Sequence[float], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = self.array_class(roi_size, fov_mm)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resample every key."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.transform(result[key])
        return result

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Invert every key."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.transform.inverse(result[key])
        return result


class BrainFieldOfViewd(FieldOfViewd):
    """Dictionary form of BrainFieldOfView."""

    array_class = BrainFieldOfView


def _spacing(image: Tensor) -> tuple[float, float, float]:
    if not isinstance(image, MetaTensor):
        raise TypeError("field of view: expected an image with its header (a MetaTensor), found a bare tensor")
    columns = image.affine[:3, :3].double()
    spacing = columns.norm(dim=0)
    return (float(spacing[0]), float(spacing[1]), float(spacing[2]))


def _index_affine(
    size_in: Sequence[int], spacing_in: Sequence[float], size_out: Sequence[int], spacing_out: Sequence[float]
) -> np.ndarray:
    """Output index -> input index, as a 4x4 matrix."""
    affine = np.eye(4)
    for axis in range(3):
        scale = spacing_out[axis] / spacing_in[axis]
        affine[axis, axis] = scale
        affine[axis, 3] = (size_in[axis] - 1) / 2 - scale * (size_out[axis] - 1) / 2
    return affine
