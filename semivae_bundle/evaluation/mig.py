"""Mutual information gap: is a factor held by one code only?"""

from __future__ import annotations

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray


def top_gap(held: FloatArray) -> FloatArray:
    """Lead of the largest of each column over the second: (L, K) -> (K,). With one row, the value itself."""
    if len(held) == 1:
        return np.asarray(held[0])
    second, first = np.sort(held, axis=0)[-2:]
    return np.asarray(first - second)


def mutual_information_gap(coefficients: FloatArray) -> float:
    """Mean over factors of the lead that the most informative code has over the second (arXiv:1802.04942, eq. 6).

    `coefficients` (L, K) in [0, 1], information divided by the factor's own: here `information_coefficient`, as a
    continuous factor has no entropy. Near 1 for a copy of each factor in one code each; 0 for constant codes, for every
    factor held twice, and so for a code that is spread over dimensions on purpose. It does not ask whether a code holds
    a second factor too.
    """
    return float(top_gap(coefficients).mean())
