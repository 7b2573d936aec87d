"""How separate the latent partitions are, and how much of it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.patient_level import patient_averages
from semivae_bundle.losses.dependence import distances, u_centred, u_product
from semivae_bundle.losses.kl import gaussian_kl
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import active_units, max_correlation

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


@dataclass(frozen=True)
class Dependence:
    """Distance correlation of two partitions, and the share of permutations that reach it."""

    distance_correlation: float
    p_value: float


def distance_correlations(
    means: FloatArray, partition: Mapping[str, int], patients: Sequence[str], *, permutations: int, seed: int
) -> dict[tuple[str, str], Dependence]:
    """Bias-corrected distance correlation of each pair of partitions, dependence of any kind, with a permutation test.

    `means` (n, L) of scans of `patients` (n); of several scans of a patient the average counts, since visits are no
    independent subjects. The root of `squared_distance_correlation`, 0 where that is negative: in [0, 1], near 0 for
    independent partitions whatever their size. A dimension counts by its spread, one that is not active not at all.
    The p-value, of one pair and not corrected for their number, is (1 + k) / (1 + permutations), k of which, of the
    patients of one partition, reach the measured value; so none is below 1 / (1 + permutations). NaN below four
    patients.
    """
    means = patient_averages(means, patients)
    pairs = list(combinations(partition, 2))
    if len(means) < 4:
        return dict.fromkeys(pairs, Dependence(float("nan"), float("nan")))
    latents, slices = torch.from_numpy(means * active_units(means)).double(), partition_slices(partition)
    centred = {name: u_centred(distances(latents[:, part])) for name, part in slices.items()}
    rng = np.random.default_rng(seed)
    orders = [torch.from_numpy(rng.permutation(len(means))) for _ in range(permutations)]
    found = {}
    for a, b in pairs:
        value = float(u_product(centred[a], centred[b]))
        scale = float(u_product(centred[a], centred[a]) * u_product(centred[b], centred[b])) ** 0.5
        reached = sum(float(u_product(centred[a][order][:, order], centred[b])) >= value for order in orders)
        correlation = max(value, 0.0) / scale if scale > 0 else 0.0
        found[a, b] = Dependence(correlation**0.5, (1 + reached) / (1 + permutations))
    return found


def kl_per_partition(means: FloatArray, log_vars: FloatArray, partition: Mapping[str, int]) -> dict[str, float]:
    """KL from the prior summed over each partition's dimensions, mean over subjects, in nats. `means`, ... (n, L)."""
    kl = gaussian_kl(torch.from_numpy(means), torch.from_numpy(log_vars))
    return {name: float(kl[part].sum()) for name, part in partition_slices(partition).items()}
