"""Scans -> patients: visits of one patient are near copies, and no independent evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.evaluation.bootstrap import FloatArray


def patient_averages(values: FloatArray, patients: Sequence[str]) -> FloatArray:
    """Mean over the scans of each patient, in the order of first scans: (n, L) -> (patients, L)."""
    owner = np.array(patients)
    return np.stack([values[owner == patient].mean(axis=0) for patient in dict.fromkeys(patients)])


def fullest_scans(patients: Sequence[str], known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index of one scan of each patient, ascending: the first of those with the most `known` (n, K) values.

    For estimates from nearest neighbours an average would mix states of a tumour, and two visits would find each other.
    A patient without any value is left out.
    """
    count = known.sum(axis=1)
    chosen: dict[str, int] = {}
    for i, patient in enumerate(patients):
        if count[i] > count[chosen.get(patient, i)] or (patient not in chosen and count[i]):
            chosen[patient] = i
    return np.array(sorted(chosen.values()), dtype=np.intp)
