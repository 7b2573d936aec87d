"""Independence of the partitions and of all dimensions: the section of metrics.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.dimension_dependence import STATISTICS, dimension_pairs
from semivae_bundle.evaluation.factor_table import FEWEST_PATIENTS
from semivae_bundle.evaluation.latent_independence import (
    CHANCE_QUANTILE,
    Dependence,
    chance_correlation,
    distance_correlations,
)
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.patient_level import patient_averages
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import ACTIVE_VARIANCE, active_units, max_correlation

LISTED_PAIRS = 10


def independence(
    means: FloatArray,
    partition: Mapping[str, int],
    patients: Sequence[str],
    permutations: int,
    seed: int,
    options: LatentOptions,
) -> dict[str, Any]:
    """From posterior means (n, L) of scans of `patients` (n). `permutations` and `seed` are those of the partitions'
    chance levels, `options` those of the dimensions'. Everywhere a patient counts once, by the mean of the visits,
    which are no independent subjects: chance would look like dependence.
    """
    averages = patient_averages(means, patients)
    measured = max_correlation(averages, partition)
    chance = chance_correlation(averages, partition, permutations=permutations, seed=seed)
    dependence = distance_correlations(means, partition, patients, permutations=permutations, seed=seed)
    adjusted = _adjusted(dependence)
    return {
        "statistic": "largest |Pearson r| between active dimensions of two partitions' posterior means",
        "active_variance_threshold": ACTIVE_VARIANCE,
        "subjects": len(means),
        "patients": len(averages),
        "correlations": _compared(averages, partition),
        "chance": f"{CHANCE_QUANTILE:.0%} quantile over permutations of the patients within each partition",
        "permutations": permutations,
        "max_abs_correlation": max(measured.values(), default=float("nan")),
        "distance_correlation": "root of the bias-corrected squared distance correlation, p-value by permutation",
        "max_distance_correlation": max((d.distance_correlation for d in dependence.values()), default=float("nan")),
        "pairs": {
            f"{a}-{b}": {
                "max_abs_correlation": value,
                "chance_level": chance[a, b],
                "distance_correlation": dependence[a, b].distance_correlation,
                "p_value": dependence[a, b].p_value,
                "q_value": adjusted[a, b],
            }
            for (a, b), value in measured.items()
        },
        "dimensions": _of_dimensions(means, partition, patients, options),
    }


def _compared(means: FloatArray, partition: Mapping[str, int]) -> int:
    """How many pairs of active dimensions lie in two partitions."""
    active = active_units(means)
    counts = [int(active[part].sum()) for part in partition_slices(partition).values()]
    return (sum(counts) ** 2 - sum(count**2 for count in counts)) // 2


def _adjusted(dependence: Mapping[tuple[str, str], Dependence]) -> dict[tuple[str, str], float]:
    """Benjamini and Hochberg's adjusted p-values over the pairs of partitions; NaN where there are none."""
    p = np.array([one.p_value for one in dependence.values()])
    q = false_discovery_control(p) if p.size and np.isfinite(p).all() else np.full(len(p), np.nan)
    return dict(zip(dependence, q.tolist(), strict=True))


def _of_dimensions(
    means: FloatArray, partition: Mapping[str, int], patients: Sequence[str], options: LatentOptions
) -> dict[str, Any]:
    count = len(set(patients))
    if count < FEWEST_PATIENTS:
        return {"missing": f"{count} patients; at least {FEWEST_PATIENTS} are needed"}
    pairs = dimension_pairs(means, partition, patients, options)
    if pairs.empty:
        return {"missing": "fewer than two active dimensions"}
    between = int((pairs["of_a"] != pairs["of_b"]).sum())
    return {
        "statistic": "patients' averages in normal scores; normalised mutual information: 1 - exp(-2 I), I by KSG",
        "patients": count,
        "pairs": len(pairs),
        "false_discovery_rate": options.false_discovery_rate,
        "draws": options.draws,
        "families": "pairs between partitions, and pairs inside them",
        "fewest_pairs_that_draws_can_tell": math.ceil(between / (1 + options.draws) / options.false_discovery_rate),
        "blocks": {
            f"{a}-{b}": _block(pairs[(pairs["of_a"] == a) & (pairs["of_b"] == b)], options.false_discovery_rate)
            for a, b in combinations_with_replacement(partition, 2)
        },
        "strongest": _strongest(pairs),
    }


def _block(found: pd.DataFrame, rate: float) -> dict[str, Any]:
    """The pairs of a dimension of one partition with one of another, or with another of the same."""
    figures: dict[str, Any] = {"pairs": len(found)}
    for statistic in STATISTICS:
        size = found[statistic].abs()
        figures[statistic] = {
            "largest": float(size.max()),
            "mean": float(size.mean()),
            "discoveries": int((found[f"{statistic}_q"] <= rate).sum()),
        }
    return figures


def _strongest(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    top = pairs.sort_values("distance_correlation", ascending=False).head(LISTED_PAIRS)
    return [{str(name): value for name, value in row.items()} for row in top.to_dict("records")]
