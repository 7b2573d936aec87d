"""The factors that codes are held against: measured features, or what phantoms were generated from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.patient_level import fullest_scans
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer

FEWEST_PATIENTS = 20
"""Below, no held-out R² of a dozen codes, and no estimate of mutual information, says anything."""


@dataclass(frozen=True)
class FactorTable:
    """`values` (n, K), NaN where a scan lacks a factor; `claimed` names the partition that is to hold each factor."""

    names: tuple[str, ...]
    claimed: tuple[str, ...]
    values: FloatArray

    def only(self, columns: Sequence[int]) -> FactorTable:
        """The factors of these columns."""
        return FactorTable(
            tuple(self.names[k] for k in columns), tuple(self.claimed[k] for k in columns), self.values[:, columns]
        )


def measured_factors(results: Results, normalizer: Normalizer) -> FactorTable:
    """The targets that the network learned (normalised; without their regression on the volume where taken away)."""
    return FactorTable(
        normalizer.columns,
        tuple(scale.partition for scale in normalizer.scales),
        np.where(results.present, results.target, np.nan),
    )


def usable_factors(table: FactorTable, patients: Sequence[str]) -> tuple[FactorTable, dict[str, str]]:
    """The factors that can be judged by, and why each of the others cannot. Of each patient one scan counts."""
    left_out, values = {}, table.values[fullest_scans(patients, np.isfinite(table.values))]
    for k, name in enumerate(table.names):
        known = values[np.isfinite(values[:, k]), k]
        count, different = len(known), len(np.unique(known))
        if count < FEWEST_PATIENTS:
            left_out[name] = f"{count} patients have it; at least {FEWEST_PATIENTS} are needed"
        elif different < FEWEST_PATIENTS // 2:
            left_out[name] = f"{different} different values; mutual information is estimated for continuous factors"
    return table.only([k for k, name in enumerate(table.names) if name not in left_out]), left_out
