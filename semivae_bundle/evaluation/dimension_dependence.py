"""Dependence of every pair of latent dimensions, with control of the false discoveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta, false_discovery_control

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.mutual_information import information_coefficient, ksg_information
from semivae_bundle.evaluation.normal_scores import normal_scores
from semivae_bundle.evaluation.patient_level import patient_averages
from semivae_bundle.evaluation.permutation_null import (
    centred_distances,
    null_distance_correlation,
    null_information,
    p_values,
)
from semivae_bundle.evaluation.predictions import latent_columns
from semivae_bundle.training.latent_metrics import active_units, correlation_matrix

STATISTICS = ("correlation", "distance_correlation", "normalised_mutual_information")


def dimension_pairs(
    means: FloatArray, partition: Mapping[str, int], patients: Sequence[str], options: LatentOptions
) -> pd.DataFrame:
    """One row for each pair of active dimensions: a and b, their names; of_a and of_b, their partitions; each of
    STATISTICS; with `_p` behind it its p-value, with `_q` Benjamini and Hochberg's adjusted one
    (10.1111/j.2517-6161.1995.tb02031.x).

    Pairs between partitions and pairs inside them are adjusted apart. The latter are dependent by the thousand, as they
    may be; in one family with them the rate would hold overall, and the false discoveries all fall between partitions.

    `means` (n, L) of scans of `patients` (n); a patient's average counts, in normal scores. Under independence any
    order of the patients is equally likely, so p-values come from permutations of patients, one null for all pairs.
    Theirs end at 1 / (1 + draws), so that a few dependent pairs among thousands do not pass q; the correlation's, by
    the t distribution, have no such end. Empty for fewer than two active dimensions.
    """
    averages = patient_averages(means, patients)
    active = active_units(averages)
    scores, names = normal_scores(averages[:, active], seed=options.seed), np.array(latent_columns(partition))[active]
    owner = np.repeat(list(partition), list(partition.values()))[active]
    a, b = np.triu_indices(scores.shape[1], k=1)
    table = {"a": names[a], "b": names[b], "of_a": owner[a], "of_b": owner[b]}
    for statistic, (values, p) in _statistics(scores, a, b, options).items():
        table |= {statistic: values, f"{statistic}_p": p, f"{statistic}_q": adjusted_apart(p, owner[a] == owner[b])}
    return pd.DataFrame(table)


def _statistics(
    scores: FloatArray, a: NDArray[np.intp], b: NDArray[np.intp], options: LatentOptions
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Each of STATISTICS of the pairs of columns `a`, `b`, and its p-values."""
    n, drawn = len(scores), {"draws": options.draws, "seed": options.seed}
    correlation, squared = correlation_matrix(scores)[a, b], squared_distance_correlations(scores)[a, b]
    information = np.array(
        [ksg_information(scores[:, i], scores[:, j], neighbours=options.neighbours) for i, j in zip(a, b, strict=True)]
    )
    by_chance = null_information(n, neighbours=options.neighbours, **drawn)
    found = (
        (correlation, correlation_p_values(correlation, n)),
        (np.sqrt(np.maximum(squared, 0)), p_values(squared, null_distance_correlation(n, **drawn))),
        (information_coefficient(information), p_values(information, by_chance)),
    )
    return dict(zip(STATISTICS, found, strict=True))


def adjusted_apart(p: FloatArray, inside: NDArray[np.bool_]) -> FloatArray:
    """Benjamini and Hochberg's adjusted p-values, of those `inside` and of the others as two families: (m,), (m,)."""
    adjusted = np.ones(len(p))
    for family in (inside, ~inside):
        if family.any():
            adjusted[family] = false_discovery_control(p[family])
    return adjusted


def correlation_p_values(correlation: FloatArray, n: int) -> FloatArray:
    """Two-sided p-value of a correlation of n normal pairs, scipy.stats.pearsonr's: any shape -> the same. n >= 3.

    For normal scores it is that of permutation to within its own scatter, and goes on below what draws can tell.
    """
    half = n / 2 - 1
    return np.asarray(2 * beta(half, half, loc=-1, scale=2).sf(np.minimum(np.abs(correlation), 1)))


def squared_distance_correlations(scores: FloatArray) -> FloatArray:
    """Bias-corrected squared distance correlation of all pairs of columns: (n, D) -> (D, D), n >= 4.

    As `losses.dependence.squared_distance_correlation` of each pair, in one product of matrices; n² D numbers of
    memory. 0 for a constant column.
    """
    n, dimensions = scores.shape
    flat = np.reshape([centred_distances(column) for column in scores.T], (dimensions, n * n))
    product = (flat @ flat.T).astype(np.float64)
    spread = np.sqrt(np.diag(product))
    scale = np.outer(spread, spread)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
