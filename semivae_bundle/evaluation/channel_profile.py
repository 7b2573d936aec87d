"""How the channels go together over the brain, whichever grey values each has."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.evaluation.conformal import FloatArray

BINS = 4


def channel_profile(values: NDArray[np.float32]) -> FloatArray:
    """Intensities of the brain (C, N) -> (C * (C - 1) * BINS,): for each pair i, j the median of channel j in the first
    to last quarter of the voxels by channel i.

    As a joint histogram does, it holds that fluid is dark in t1 and bright in t2, which a correlation averages away;
    medians, so that a tumour, a few per cent of the brain, hardly moves it.
    """
    count = len(values)
    curves = np.zeros((count, count, BINS))
    for i in range(count):
        order = np.argsort(values[i], kind="stable")
        for k, part in enumerate(np.array_split(order, BINS)):
            curves[i, :, k] = np.median(values[:, part], axis=1)
    return curves[_other(count)].ravel()


def channel_orders(count: int) -> NDArray[np.intp]:
    """For every other order of `count` channels, where each number of `channel_profile` comes from: (count! - 1, K).

    The profile of a scan with its channels in another order is the scan's profile in another order.
    """
    places = np.zeros((count, count, BINS), dtype=np.intp)
    places[_other(count)] = np.arange(count * (count - 1) * BINS).reshape(-1, BINS)
    orders = [list(order) for order in permutations(range(count))][1:]
    return np.stack([places[np.ix_(order, order)][_other(count)].ravel() for order in orders])


def _other(count: int) -> NDArray[np.bool_]:
    return np.asarray(~np.eye(count, dtype=np.bool_))
