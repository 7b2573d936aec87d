"""Is one run's error smaller than another's on the same patients? A permutation test without assumptions of shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import false_discovery_control

from semivae_bundle.evaluation.bootstrap import FloatArray

# Sums in another order differ by rounding; a flip that gives the same sum has to count as one that reaches it.
ROUNDING = 1e-9


def patient_sums(values: FloatArray, patients: Sequence[str]) -> FloatArray:
    """Sum over the scans of each patient, NaN as 0, in the order of first scans: (n, F) -> (patients, F)."""
    names = {name: row for row, name in enumerate(dict.fromkeys(patients))}
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, [names[patient] for patient in patients], np.nan_to_num(values))
    return sums


def sign_flip_p_values(differences: FloatArray, *, draws: int, seed: int) -> FloatArray:
    """Two-sided p-value of the sum of paired differences, per column: (patients, F) -> (F,).

    If both runs are equally good, either could have had the name of the other, so each patient's difference is as
    likely with the other sign (Fisher 1935; Good 2005, doi:10.1007/b138696). (1 + k) / (1 + draws), k of the random
    signs with a sum at least as far from 0: valid for any n, never below 1 / (1 + draws); 1 for a column of zeros.
    """
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=(draws, len(differences)))
    reached = np.abs(signs @ differences) >= np.abs(differences.sum(axis=0)) - ROUNDING * np.abs(differences).sum(
        axis=0
    )
    return np.asarray((1 + reached.sum(axis=0)) / (1 + draws))


def adjusted(p: FloatArray) -> FloatArray:
    """Benjamini and Hochberg's adjusted p-values of one family (10.1111/j.2517-6161.1995.tb02031.x): (m,) -> (m,)."""
    return np.asarray(false_discovery_control(p)) if p.size else p
