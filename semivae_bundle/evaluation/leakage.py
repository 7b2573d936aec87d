"""What a partition tells of each feature, beside what the features tell of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.factor_table import FactorTable
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.probes import held_out_r2, probe_models


def shared_r2(
    factors: FactorTable, partitions: Sequence[str], patients: Sequence[str], options: LatentOptions
) -> dict[str, FloatArray]:
    """Held-out R² of each factor from the other factors that a partition claims, and, in the last row, from all other
    factors: per model, (partitions + 1, K).

    A volume partition that is perfect holds what the measured volumes say of a shape, and that much is no leak. 0 for a
    partition that claims nothing.
    """
    filled = np.where(np.isfinite(factors.values), factors.values, np.nanmean(factors.values, axis=0))
    owner, columns = np.array(factors.claimed), np.arange(len(factors.names))
    members = [owner == name for name in partitions] + [np.ones(len(owner), dtype=bool)]
    return {
        name: np.array(
            [
                [
                    held_out_r2(
                        model, filled[:, of & (columns != k)], factors.values[:, k], patients, folds=options.folds
                    )
                    for k in columns
                ]
                for of in members
            ]
        )
        for name, model in probe_models(options).items()
    }


def leakage(
    r2: Mapping[str, FloatArray],
    shared: Mapping[str, FloatArray],
    factors: FactorTable,
    partitions: Sequence[str],
    patients: Sequence[str],
) -> dict[str, Any]:
    """The section of metrics.json, from the tables of `probe_partitions` and `shared_r2`. `patients` names the patient
    of each scan; `patients` of a row is how many of them have the feature, on whom its R² are.

    `excess` is R² minus the shared one, negative values of either taken as 0; None where the partition claims the
    feature, since there reading it is the purpose.
    """
    owner = np.array(patients)
    having = [len(set(owner[np.isfinite(values)])) for values in factors.values.T]
    rows = [
        {
            "partition": name,
            "feature": feature,
            "model": model,
            "patients": having[k],
            "r2": r2[model][p, k],
            "r2_of_its_features": shared[model][p, k],
            "excess": None if factors.claimed[k] == name else max(r2[model][p, k], 0.0) - max(shared[model][p, k], 0.0),
        }
        for model in r2
        for p, name in enumerate(partitions)
        for k, feature in enumerate(factors.names)
    ]
    worst = {}
    for name in partitions:
        found = [row for row in rows if row["partition"] == name and row["excess"] is not None]
        worst[name] = max(found, key=lambda row: row["excess"], default=None)
    return {
        "statistic": "R² on patients left out of the fit; r2_of_its_features: of those that the partition claims",
        "table": rows,
        "from_all_other_features": {
            model: dict(zip(factors.names, table[-1].tolist(), strict=True)) for model, table in shared.items()
        },
        "largest_excess": worst,
    }
