"""What the code holds of which factor: the sections disentanglement and leakage of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from semivae_bundle.evaluation.disentanglement import disentanglement
from semivae_bundle.evaluation.factor_table import FactorTable, measured_factors, usable_factors
from semivae_bundle.evaluation.generating_factors import generating_factors
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.leakage import leakage, shared_r2
from semivae_bundle.evaluation.probes import probe_partitions, readable
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer

NO_TABLE = "the cohort's folder has no table of generating factors (factors.csv); only phantoms have one"


def factor_sections(
    results: Results,
    normalizer: Normalizer,
    partition: Mapping[str, int],
    generating: pd.DataFrame | None,
    options: LatentOptions,
) -> dict[str, Any]:
    """`disentanglement`, against the measured features and against what phantoms were generated from, and `leakage`.

    `generating`: that table by subject, None where there is none. A section that cannot be had says why in `missing`.
    """
    # A fit to a few hundred rows takes longer with many threads than with one.
    with threadpool_limits(limits=1):
        measured, leak = _measured(results, measured_factors(results, normalizer), partition, options)
        true: dict[str, Any] = {"missing": NO_TABLE}
        if generating is not None:
            table = generating_factors(generating, results.subjects, list(partition))
            true = _generating(results, table, partition, options)
    return {"disentanglement": {"measured_features": measured, "generating_factors": true}, "leakage": leak}


def _measured(
    results: Results, table: FactorTable, partition: Mapping[str, int], options: LatentOptions
) -> tuple[dict[str, Any], dict[str, Any]]:
    factors, left_out = usable_factors(table, results.patients)
    if not factors.names:
        return _missing(left_out), _missing(left_out)
    r2 = probe_partitions(results.mean, factors, partition, results.patients, options)
    shared = shared_r2(factors, list(partition), results.patients, options)
    scores = disentanglement(results.mean, factors, readable(r2), partition, results.patients, options)
    return scores | {"left_out": left_out}, leakage(r2, shared, factors, list(partition), results.patients) | {
        "left_out": left_out
    }


def _generating(
    results: Results, table: FactorTable, partition: Mapping[str, int], options: LatentOptions
) -> dict[str, Any]:
    factors, left_out = usable_factors(table, results.patients)
    if not factors.names:
        return _missing(left_out)
    held = readable(probe_partitions(results.mean, factors, partition, results.patients, options))
    scores = disentanglement(results.mean, factors, held, partition, results.patients, options)
    return scores | {"left_out": left_out}


def _missing(left_out: Mapping[str, str]) -> dict[str, Any]:
    return {"missing": "no factor to judge by", "left_out": dict(left_out)}
