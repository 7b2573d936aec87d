"""Do codes fill the prior, and the prior the codes? The section coverage_of_latent_space of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.coverage_verdict import THRESHOLDS, verdict
from semivae_bundle.evaluation.factor_table import FEWEST_PATIENTS
from semivae_bundle.evaluation.latent_holes import PAIRS, STEPS, lowest_on_lines, smooth_cohort
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.manifold_overlap import expected_coverage, manifold_overlap, mean_overlap
from semivae_bundle.evaluation.nearest_subjects import DIVISIONS, distances_to_reference
from semivae_bundle.evaluation.patient_level import fullest_scans
from semivae_bundle.networks.partition import partition_slices

WHOLE = "whole"
DRAWS = 5
QUANTILE = 0.05
SHALLOW = 0.1  # nats; a dip of less is none
METHOD = {
    "real": "codes of held-out patients, the first scan of each",
    "generated": "as many draws from the prior N(0, I)",
    "samples": "one draw from each posterior: the aggregate posterior, which is what the KL pulls to the prior",
    "means": "posterior means, which growth models get; their variance is below the prior's by the posteriors' own, so "
    "precision and coverage against the prior fall short even for a perfect model",
    "perfect": "two sets of draws from the prior, as many: what can be reached with these patients and dimensions",
    "nearest_subjects": f"samples; median distance to the nearest of a random half of the patients; {DIVISIONS} halves",
    "holes": f"lowest log density of the mixture of posteriors on {PAIRS} random lines between two means ({STEPS} "
    "points), less that at the line's sparser end, without the two posteriors at the ends; limit: the 5 % quantile of "
    "one Gaussian of the same covariance, or -0.1 nats if that is lower",
}


def latent_coverage(
    mean: FloatArray, log_var: FloatArray, partition: Mapping[str, int], patients: Sequence[str], options: LatentOptions
) -> dict[str, Any]:
    """From posteriors `mean`, `log_var` (n, L) of scans of `patients` (n): figures per partition and for all of it.

    `options.neighbours` is the k of the balls. With few patients the section says why it is `missing`.
    """
    chosen = fullest_scans(patients, np.ones((len(mean), 1), dtype=np.bool_))
    if len(chosen) < FEWEST_PATIENTS:
        return {"missing": f"{len(chosen)} patients; at least {FEWEST_PATIENTS} are needed"}
    slices = {**partition_slices(partition), WHOLE: slice(0, mean.shape[1])}
    with threadpool_limits(limits=1):
        parts = {
            name: _figures(mean[chosen, part], log_var[chosen, part], options.neighbours, options.seed)
            for name, part in slices.items()
        }
    return {
        "method": METHOD,
        "patients": len(chosen),
        "neighbours": options.neighbours,
        "draws": DRAWS,
        "expected_coverage_of_a_perfect_code": expected_coverage(len(chosen), len(chosen), options.neighbours),
        "thresholds": THRESHOLDS,
        "parts": parts,
        "verdict": {name: verdict(figures) for name, figures in parts.items()},
    }


def _figures(mean: FloatArray, log_var: FloatArray, neighbours: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    std = np.exp(0.5 * log_var)
    found: dict[str, list[Any]] = {"samples": [], "means": [], "perfect": []}
    for _ in range(DRAWS):
        prior, sample = rng.normal(size=mean.shape), mean + std * rng.normal(size=mean.shape)
        found["samples"].append(manifold_overlap(sample, prior, neighbours))
        found["means"].append(manifold_overlap(mean, prior, neighbours))
        found["perfect"].append(manifold_overlap(rng.normal(size=mean.shape), prior, neighbours))
    return {
        "dimensions": mean.shape[1],
        **{name: asdict(mean_overlap(draws)) for name, draws in found.items()},
        "nearest_subjects": distances_to_reference(sample, seed=seed),
        "holes": _holes(mean, log_var, seed),
    }


def _holes(mean: FloatArray, log_var: FloatArray, seed: int) -> dict[str, float]:
    """Share of lines with a hole, and depths in nats (0 or below). By chance the share is about QUANTILE."""
    depth = lowest_on_lines(mean, log_var, pairs=PAIRS, seed=seed)
    smooth = lowest_on_lines(smooth_cohort(mean, seed), log_var, pairs=PAIRS, seed=seed)
    limit = min(float(np.quantile(smooth, QUANTILE)), -SHALLOW)
    return {
        "share_of_lines": float((depth < limit).mean()),
        "limit_nats": limit,
        "median_nats": float(np.median(depth)),
        "deepest_nats": float(depth.min()),
    }
