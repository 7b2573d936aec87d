"""The form of the brain's outline as moments: what is front, back, top and bottom."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.evaluation.conformal import FloatArray

# The last variance follows from the others, since the scale is taken out.
SECOND = [pair for pair in combinations_with_replacement(range(3), 2) if pair != (2, 2)]
THIRD = list(combinations_with_replacement(range(3), 3))
# Front-back, head-foot, and both: what a header that lies does to a brain and what shows.
TURNS = ((1,), (2,), (1, 2))


def outline_profile(brain: NDArray[np.bool_]) -> FloatArray:
    """Brain (D, H, W) of cubic voxels -> (15,): its central moments of second and third order, without place and size.

    An ellipsoid's third moments are 0. A brain is broader behind and flatter below, so theirs change sign where front
    and back, or head and foot, are exchanged; the second ones change where two axes are. Left and right of a brain
    differ by less than two brains do, so a left-right flip shows in none of them.
    """
    points = np.argwhere(brain).astype(np.float64)
    centred = points - points.mean(axis=0)
    x = centred / max(float(np.sqrt(np.square(centred).mean())), 1e-6)
    return np.array([np.prod(x[:, list(axes)], axis=1).mean() for axes in [*SECOND, *THIRD]])


def outline_signs() -> FloatArray:
    """What each number of `outline_profile` is multiplied by when the brain is mirrored as TURNS say: (3, 15)."""
    moments = [*SECOND, *THIRD]
    return np.array([[float((-1) ** sum(axes.count(axis) for axis in turn)) for axes in moments] for turn in TURNS])
