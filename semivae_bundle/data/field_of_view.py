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


def resampling_matrix(size_in: int, spacing_in: float, size_out: int, spacing_out: float) -> np.ndarray:
    """Weights that resample one axis between two grids with the same centre: (size_out, size_in), float32.

    To a coarser grid, each output voxel averages the input voxels by their overlap, which keeps integrals (so volumes)
    exactly and cannot alias. To a finer one, linear interpolation between voxel centres. Beyond the input all is 0.
    """
    start_in, start_out = -size_in * spacing_in / 2, -size_out * spacing_out / 2
    if spacing_out >= spacing_in:
        edges_in = start_in + spacing_in * np.arange(size_in + 1)
        edges_out = start_out + spacing_out * np.arange(size_out + 1)
        low = np.maximum(edges_out[:-1, None], edges_in[None, :-1])
        high = np.minimum(edges_out[1:, None], edges_in[None, 1:])
        return np.clip((high - low) / spacing_out, 0, None).astype(np.float32)
    centres_out = start_out + spacing_out * (np.arange(size_out) + 0.5)
    position = (centres_out - start_in) / spacing_in - 0.5
    weights = np.clip(1 - np.abs(position[:, None] - np.arange(size_in)[None, :]), 0, None)
    # The outer half of a border voxel still belongs to it: repeat its value instead of fading out.
    inside = (position > -0.5 - 1e-9) & (position < size_in - 0.5 + 1e-9)
    total = weights.sum(axis=1)
    weights[inside] /= total[inside, None]
    weights[~inside] = 0
    return weights.astype(np.float32)


def resample_centred(
    volume: Tensor, spacing_in: Sequence[float], size_out: Sequence[int], spacing_out: Sequence[float]
) -> Tensor:
    """Resample (C, D, H, W) to `size_out` voxels of `spacing_out` mm about the same centre: float32."""
    out = volume.to(torch.float32)
    for axis in range(3):
        if out.shape[axis + 1] == size_out[axis] and abs(spacing_in[axis] - spacing_out[axis]) < 1e-6:
            continue
        matrix = resampling_matrix(out.shape[axis + 1], spacing_in[axis], size_out[axis], spacing_out[axis])
        out = apply_banded(matrix, out, axis + 1)
    return out.contiguous()


def apply_banded(matrix: np.ndarray, volume: Tensor, axis: int) -> Tensor:
    """`matrix` (out, in) times `volume` along `axis`.

    Resampling from 240 voxels to 128 weighs three of 240, so all but the last axis add the few slabs that a row has, in
    an eighth of the time that a matrix product spends on the zeros. Along the last axis there are no slabs.
    """
    if axis == volume.ndim - 1:
        return volume @ torch.from_numpy(matrix.T.copy())
    # In NumPy, on one thread: so many small steps would spend their time waiting for each other on shared cores.
    slabs = np.moveaxis(volume.numpy(), axis, 0)
    result = np.zeros((matrix.shape[0], *slabs.shape[1:]), dtype=np.float32)
    for row, weights in zip(result, matrix, strict=True):
        for column in np.flatnonzero(weights):
            row += weights[column] * slabs[column]
    return torch.from_numpy(np.moveaxis(result, 0, axis))


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
