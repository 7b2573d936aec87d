"""The plane of a traversal that its pictures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.figure_reconstructions import plane
from semivae_bundle.evaluation.figure_scatter import short_number
from semivae_bundle.evaluation.image_quality import RANGE_PERCENTILES
from semivae_bundle.evaluation.overlap import Labels
from semivae_bundle.evaluation.traversal import Drawn, Traversal
from semivae_bundle.features.schema import feature_of

AXIAL, CORONAL = 2, 1


@dataclass(frozen=True)
class Strip:
    """One plane over S steps: grey images (S, C, rows, cols) in [0, 1], maps (S, rows, cols), and what was asked for
    and drawn (S,) in `unit`.
    """

    name: str
    scan: str
    unit: str
    requested: FloatArray
    obtained: FloatArray
    images: NDArray[np.float32]
    maps: Labels


def strip_of(one: Traversal, drawn: Drawn, brain: NDArray[np.bool_], column: str, name: str) -> Strip:
    """The axial plane, or the coronal one where the feature moves along z, with most of the tumour of the middle step.

    `brain` (D, H, W): outside of it all is black; each channel has one window for all steps. Cut to the
    brain. `column` is the feature that is judged, `name` what the traversal is called.
    """
    axis = CORONAL if feature_of(column).axis == AXIAL else AXIAL
    middle = drawn.maps[len(drawn.maps) // 2]
    body = middle > 0 if middle.any() else brain
    index = int(body.sum(axis=tuple(other for other in range(3) if other != axis)).argmax())
    maps = np.stack([plane(labels, axis, index) for labels in drawn.maps])
    inside = plane(brain, axis, index).astype(bool) | (maps > 0).any(axis=0)
    box = _box(inside)
    images = np.stack([_windowed(channel, brain, axis, index) for channel in drawn.images.swapaxes(0, 1)], axis=1)
    return Strip(
        name=name,
        scan=one.scan,
        unit=feature_of(column).physical_unit,
        requested=one.requested_physical[:, one.position],
        obtained=one.obtained_physical[:, one.position],
        images=(images * inside)[..., box[0], box[1]],
        maps=maps[:, box[0], box[1]].astype(np.uint8),
    )


def value_text(value: float) -> str:
    """A value as pictures quote it; of a map without the region there is none."""
    return short_number(value) if np.isfinite(value) else "empty"


def _windowed(volumes: NDArray[np.float32], brain: NDArray[np.bool_], axis: int, index: int) -> NDArray[np.float32]:
    """Planes (S, rows, cols) of one channel (S, D, H, W), from its usual range in the brain to [0, 1]."""
    low, high = np.percentile(volumes[:, brain] if brain.any() else volumes, RANGE_PERCENTILES)
    cuts = np.stack([plane(volume, axis, index) for volume in volumes])
    return np.asarray(np.clip((cuts - low) / max(float(high - low), 1e-6), 0, 1), dtype=np.float32)


def _box(shown: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns that hold something, one wider on each side; all of them where nothing does."""
    if not shown.any():
        return slice(None), slice(None)
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
