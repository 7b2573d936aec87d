"""How separate the latent partitions are, and how much of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import torch

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.losses.kl import gaussian_kl
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import max_correlation

CHANCE_QUANTILE = 0.95


def chance_correlation(
    means: FloatArray, partition: Mapping[str, int], *, permutations: int, seed: int
) -> dict[tuple[str, str], float]:
    """What `max_correlation` reaches by chance, per pair of partitions: its 95th percentile over permutations.

    `means` (n, L). Each partition's rows are put in a random order of their own: every dimension keeps its values and
    the correlations inside a partition stay, those between partitions are gone. A measured value below this level
    says nothing against independence. NaN below three subjects.
    """
    slices = partition_slices(partition)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(permutations):
        shuffled = np.empty_like(means)
        for part in slices.values():
            shuffled[:, part] = means[rng.permutation(len(means)), part]
        drawn.append(max_correlation(shuffled, partition))
    pairs = list(combinations(slices, 2))
    if len(means) < 3 or not drawn:
        return dict.fromkeys(pairs, float("nan"))
    return {pair: float(np.quantile([figures[pair] for figures in drawn], CHANCE_QUANTILE)) for pair in pairs}


def kl_per_partition(means: FloatArray, log_vars: FloatArray, partition: Mapping[str, int]) -> dict[str, float]:
    """KL from the prior summed over each partition's dimensions, mean over subjects, in nats. `means`, ... (n, L)."""
    kl = gaussian_kl(torch.from_numpy(means), torch.from_numpy(log_vars))
    return {name: float(kl[part].sum()) for name, part in partition_slices(partition).items()}
