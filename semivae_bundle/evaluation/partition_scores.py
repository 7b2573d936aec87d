"""Disentanglement of partitions: does each hold the factors that it is said to hold, and no others?

A partition is a code of several dimensions, for which neighbours estimate no mutual information: in 16 dimensions and
with a few hundred subjects all distances are alike, and the estimate falls to 0. What a held-out regressor reads
of a factor is instead a lower bound, by the data-processing inequality: I(z; v) >= -ln(1 - R²) / 2 for a normal factor,
so R² bounds `information_coefficient`, whatever the partition's size and however it spreads a factor over its
dimensions. For a factor of another distribution, as some that phantoms are made from, the bound is approximate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.networks.partition import partition_slices


def partition_importance(codes: FloatArray, weights: FloatArray, partition: Mapping[str, int]) -> FloatArray:
    """How much a linear read-out's prediction moves with each partition: the standard deviation over subjects of what
    the partition adds to it. `codes` (n, L) standardised, `weights` (L, K) -> (partitions, K).

    |weight| for partitions of one dimension, DCI's importance. Not the sum of |weight|: the small weights that noise
    gives to many dimensions add up in a sum, and cancel in what they predict.
    """
    return np.stack([(codes[:, part] @ weights[part]).std(axis=0) for part in partition_slices(partition).values()])


def averaged_over_groups(held: FloatArray, claimed: Sequence[str]) -> FloatArray:
    """Mean over the factors claimed by one partition: (partitions, K) -> (partitions, groups).

    A partition that holds three coordinates is as pure as one that holds a single number; so factors with one claim
    count as one, and equally, however many they are.
    """
    owner = np.array(claimed)
    return np.stack([held[:, owner == name].mean(axis=1) for name in dict.fromkeys(claimed)], axis=1)


def lead_of_claimed(held: FloatArray, names: Sequence[str], claimed: Sequence[str]) -> FloatArray:
    """By how much the partition that claims a factor holds more of it than the best of the others: (partitions, K) ->
    (K,), in [-1, 1] for R². `mutual_information_gap` has the lead of the best, whichever it is; where the wrong
    partition holds a factor this is below 0.
    """
    leads = []
    for k, name in enumerate(claimed):
        own = list(names).index(name)
        others = np.delete(held[:, k], own)
        leads.append(held[own, k] - (others.max() if len(others) else 0.0))
    return np.array(leads)
