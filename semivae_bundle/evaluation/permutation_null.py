"""What chance makes of a statistic of two dimensions: one null for all pairs, since they are compared by rank.

Ties broken, all columns of normal scores hold the same values, in different orders. The permutation distribution of
any statistic of two columns is then the same for every pair (the reason for rank tests), and drawn once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.mutual_information import ksg_information
from semivae_bundle.evaluation.normal_scores import normal_scores
from semivae_bundle.losses.dependence import u_centred


def _drawn(n: int, draws: int, seed: int, statistic: Callable[[np.ndarray], float]) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.sort([statistic(rng.permutation(n)) for _ in range(draws)])


@lru_cache(maxsize=4)
def null_information(n: int, *, neighbours: int, draws: int, seed: int) -> FloatArray:
    """`ksg_information` of two independent columns of normal scores of n subjects, ascending: (draws,)."""
    scores = normal_scores(np.arange(n, dtype=np.float64)[:, None], seed=0)[:, 0]
    return _drawn(n, draws, seed, lambda order: ksg_information(scores, scores[order], neighbours=neighbours))


@lru_cache(maxsize=4)
def null_distance_correlation(n: int, *, draws: int, seed: int) -> FloatArray:
    """Squared bias-corrected distance correlation of two independent columns of normal scores, ascending: (draws,)."""
    centred = centred_distances(normal_scores(np.arange(n, dtype=np.float64)[:, None], seed=0)[:, 0])
    scale = float(np.vdot(centred, centred))
    return _drawn(n, draws, seed, lambda order: float(np.vdot(centred[np.ix_(order, order)], centred)) / scale)


def centred_distances(values: FloatArray) -> np.ndarray:
    """U-centred distances of all pairs of subjects: (n,) -> (n, n), single precision."""
    apart = torch.from_numpy(np.abs(values[:, None] - values[None, :]))
    return np.asarray(u_centred(apart).float().numpy())


def p_values(values: FloatArray, null: FloatArray) -> FloatArray:
    """(1 + k) / (1 + draws), k of the ascending `null` at least as large: any shape -> the same. None is below
    1 / (1 + draws).
    """
    reached = len(null) - np.searchsorted(null, values, side="left")
    return np.asarray((1 + reached) / (1 + len(null)))
