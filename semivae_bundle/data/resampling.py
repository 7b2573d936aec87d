"""Resampling between two grids with the same centre, by one small matrix per axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
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
