"""How far chance moves the share of active dimensions and the dependence of partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semivae_bundle.evaluation.bootstrap import METHOD, Estimate, FloatArray, estimate, of_enough_patients
from semivae_bundle.evaluation.patient_level import patient_averages
from semivae_bundle.losses.dependence import u_centred, u_product
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import ACTIVE_VARIANCE, active_units

FEWEST, GROUPS = 5, 20


def latent_intervals(
    means: FloatArray,
    own_means: FloatArray,
    patients: Sequence[str],
    partition: Mapping[str, int],
    counts: FloatArray,
    level: float,
) -> dict[str, Any]:
    """The section of metrics.json, from posterior means (n, L) of scans of `patients` and resamples `counts` (R, n).

    `own_means` (n, L) are the means in units of the prior, whose variance says which dimensions are active.

    `distance_correlation` has the square, which may be below 0, and its standard error, neither below five patients.
    """
    return {
        "active_fraction_method": METHOD,
        "active_fraction": active_fractions(own_means, partition, counts, level),
        "distance_correlation_method": f"delete-a-group jackknife over patients, {GROUPS} groups",
        "distance_correlation": dependence_errors(patient_averages(means, patients), partition),
    }


def active_fractions(
    means: FloatArray, partition: Mapping[str, int], counts: FloatArray, level: float
) -> dict[str, Estimate]:
    """Share of active dimensions of each partition."""
    centred = means - means.mean(axis=0)
    weights = counts / counts.sum(axis=1, keepdims=True)
    active = weights @ np.square(centred) - np.square(weights @ centred) > ACTIVE_VARIANCE
    now = active_units(means)
    return {
        name: estimate(
            float(now[part].mean()), of_enough_patients(active[:, part].mean(axis=1), counts), len(means), level
        )
        for name, part in partition_slices(partition).items()
    }


def dependence_errors(averages: FloatArray, partition: Mapping[str, int]) -> dict[str, dict[str, float | None]]:
    """Bias-corrected squared distance correlation of each pair of partitions with its standard error.

    `averages` (patients, L). The error is that of a jackknife that leaves out every 20th patient, a group each, or each
    patient by itself where there are fewer; a bootstrap would find its repeated patients at distance 0.
    """
    count, pairs = len(averages), list(combinations(partition, 2))
    if count < FEWEST:
        return {f"{a}-{b}": {"squared": None, "standard_error": None} for a, b in pairs}
    latents, slices = torch.from_numpy(averages * active_units(averages)).double(), partition_slices(partition)
    far = {name: _distances(latents[:, part]) for name, part in slices.items()}
    groups = min(GROUPS, count)
    kept = [torch.arange(count) % groups != group for group in range(groups)]
    left_out = [_squares({name: d[keep][:, keep] for name, d in far.items()}, pairs) for keep in kept]
    resampled = np.array(left_out)
    error = np.sqrt((groups - 1) * resampled.var(axis=0))
    return {
        f"{a}-{b}": {"squared": float(square), "standard_error": float(e)}
        for (a, b), square, e in zip(pairs, _squares(far, pairs), error, strict=True)
    }


def _distances(x: Tensor) -> Tensor:
    # The loss's `distances` holds n² D numbers; for thousands of patients that is too much.
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")


def _squares(far: Mapping[str, Tensor], pairs: Sequence[tuple[str, str]]) -> list[float]:
    centred = {name: u_centred(d) for name, d in far.items()}
    found = []
    for a, b in pairs:
        scale = float(u_product(centred[a], centred[a]) * u_product(centred[b], centred[b]))
        found.append(float(u_product(centred[a], centred[b])) / scale**0.5 if scale > 0 else 0.0)
    return found
