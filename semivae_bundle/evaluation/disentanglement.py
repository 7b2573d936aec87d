"""Disentanglement of the code from the factors of a table: the section of metrics.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.dci import dci_completeness, dci_disentanglement
from semivae_bundle.evaluation.factor_table import FactorTable
from semivae_bundle.evaluation.lasso import LassoFit, fit_lasso
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.mig import mutual_information_gap
from semivae_bundle.evaluation.modularity import modularity
from semivae_bundle.evaluation.mutual_information import information_coefficient, information_matrix
from semivae_bundle.evaluation.normal_scores import normal_scores
from semivae_bundle.evaluation.partition_scores import averaged_over_groups, lead_of_claimed, partition_importance
from semivae_bundle.evaluation.patient_level import fullest_scans
from semivae_bundle.evaluation.permutation_null import null_information, p_values
from semivae_bundle.evaluation.probes import standardised
from semivae_bundle.evaluation.sap import separated_predictability
from semivae_bundle.training.latent_metrics import active_units

NO_IRS = (
    "interventional robustness (arXiv:1811.00007) compares codes of subjects that share a factor's value while others "
    "change: continuous observed factors share none, and bins of a dozen dependent ones hold a subject each"
)


def disentanglement(
    codes: FloatArray,
    factors: FactorTable,
    held: FloatArray,
    partition: Mapping[str, int],
    patients: Sequence[str],
    options: LatentOptions,
) -> dict[str, Any]:
    """Scores of dimensions and of partitions, from posterior means (n, L) and usable factors (n, K).

    `held` (partitions, K) is what a held-out probe reads of each factor from each partition, in [0, 1]. For all else
    one scan of each patient counts, and a dimension that is not active as constant.
    """
    one = fullest_scans(patients, np.isfinite(factors.values))
    z, v = (codes * active_units(codes))[one], factors.values[one]
    fit = fit_lasso(z, v, folds=options.folds)
    return {
        "factors": dict(zip(factors.names, factors.claimed, strict=True)),
        "patients": len(one),
        "dimensions": _of_dimensions(z, v, fit, options),
        "partitions": _of_partitions(z, factors, held, fit, partition),
        "irs": {"value": None, "missing": NO_IRS},
    }


def _of_dimensions(z: FloatArray, v: FloatArray, fit: LassoFit, options: LatentOptions) -> dict[str, Any]:
    scores, targets = normal_scores(z, seed=options.seed), normal_scores(v, seed=options.seed)
    information = information_matrix(scores, targets, neighbours=options.neighbours)
    varies = np.ptp(z, axis=0) > 0
    told = np.zeros_like(information)
    told[varies] = information[varies] * _beyond_chance(information[varies], targets, options)
    pairs = int(varies.sum()) * v.shape[1]
    return {
        "mig": mutual_information_gap(information_coefficient(information)),
        "sap": separated_predictability(z, v),
        "modularity": modularity(told),
        "informative_dimensions": int((told.max(axis=1) > 0).sum()),
        "pairs": pairs,
        "fewest_pairs_that_draws_can_tell": math.ceil(pairs / (1 + options.draws) / options.false_discovery_rate),
        "dci_disentanglement": dci_disentanglement(np.abs(fit.weights)),
        "dci_completeness": dci_completeness(np.abs(fit.weights)),
        "dci_informativeness": float(fit.r2.mean()),
        "mutual_information": f"KSG, k = {options.neighbours}, of normal scores; in MIG as 1 - exp(-2 I)",
        "importance": "|weight| in lasso; informativeness: its held-out R²",
    }


def _beyond_chance(information: FloatArray, targets: FloatArray, options: LatentOptions) -> np.ndarray:
    """Which values permutation does not reach, at the false-discovery rate: (L, K) -> (L, K) bool.

    Of dimensions that vary alone: the p-values of others, all 1, would only make the rate harder to keep. Those of
    permutation end at 1 / (1 + draws), so that too few pairs among many do not pass.
    """
    if not information.size:
        return np.zeros(information.shape, dtype=bool)
    # The null is widest for the factor that fewest have; taken for all, it errs on the safe side.
    fewest = int(np.isfinite(targets).sum(axis=0).min())
    null = null_information(fewest, neighbours=options.neighbours, draws=options.draws, seed=options.seed)
    adjusted = false_discovery_control(p_values(information, null).ravel()).reshape(information.shape)
    return np.asarray(adjusted <= options.false_discovery_rate)


def _of_partitions(
    z: FloatArray, factors: FactorTable, held: FloatArray, fit: LassoFit, partition: Mapping[str, int]
) -> dict[str, Any]:
    lead = lead_of_claimed(held, list(partition), factors.claimed)
    information = -np.log1p(-np.minimum(held, 1 - 1e-9)) / 2
    weight = partition_importance(standardised(z), fit.weights, partition)
    return {
        "held": "R² of the better of two held-out probes: a lower bound of 1 - exp(-2 I)",
        "mig": mutual_information_gap(held),
        "lead_of_claimed": float(lead.mean()),
        "lead_of_claimed_per_factor": dict(zip(factors.names, lead.tolist(), strict=True)),
        "held_where_claimed": float((lead > 0).mean()),
        "modularity": modularity(averaged_over_groups(information, factors.claimed)),
        "dci_disentanglement": dci_disentanglement(averaged_over_groups(weight, factors.claimed)),
        "dci_completeness": dci_completeness(weight),
        "importance": "standard deviation of what a partition adds to lasso's prediction",
        "importance_per_factor": {
            name: dict(zip(partition, (column / max(column.sum(), 1e-12)).tolist(), strict=True))
            for name, column in zip(factors.names, weight.T, strict=True)
        },
    }
