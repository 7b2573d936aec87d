"""Dependence of every pair of latent dimensions, with control of the false discoveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
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
    """One row for each pair of active dimensions: a, b, their names; each of STATISTICS; with `_p` and `_q` behind it
    its p-value and, over all pairs, Benjamini and Hochberg's adjusted one (10.1111/j.2517-6161.1995.tb02031.x).

    `means` (n, L) of scans of `patients` (n); a patient's average counts, in normal scores. Under independence any
    order of the patients is equally likely, so p-values come from permutations of patients, one null for all pairs.
    Theirs end at 1 / (1 + draws), so that a few dependent pairs among thousands do not pass q; the correlation's, by
    the t distribution, have no such end. Empty for fewer than two active dimensions.
    """
    averages = patient_averages(means, patients)
    active = active_units(averages)
    scores, names = normal_scores(averages[:, active], seed=options.seed), np.array(latent_columns(partition))[active]
    a, b = np.triu_indices(scores.shape[1], k=1)
    information = np.array(
        [ksg_information(scores[:, i], scores[:, j], neighbours=options.neighbours) for i, j in zip(a, b, strict=True)]
    )
    correlation, squared = correlation_matrix(scores)[a, b], squared_distance_correlations(scores)[a, b]
    n, drawn = len(scores), {"draws": options.draws, "seed": options.seed}
    chance = {
        "correlation": correlation_p_values(correlation, n),
        "distance_correlation": p_values(squared, null_distance_correlation(n, **drawn)),
        "normalised_mutual_information": p_values(
            information, null_information(n, neighbours=options.neighbours, **drawn)
        ),
    }
    values = (correlation, np.sqrt(np.maximum(squared, 0)), information_coefficient(information))
    table = {"a": names[a], "b": names[b], **dict(zip(STATISTICS, values, strict=True))}
    for statistic, p in chance.items():
        table |= {f"{statistic}_p": p, f"{statistic}_q": false_discovery_control(p) if len(p) else p}
    return pd.DataFrame(table)


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
