"""Split-conformal prediction: the finite-sample quantile, the p-value, and one scan per patient.

Vovk, Gammerman and Shafer (doi:10.1007/b106715); Lei et al. 2018 (doi:10.1080/01621459.2017.1307116), algorithm 2. The
only assumption is that calibration scans and new ones are exchangeable; how good the network is decides the width
alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# (n + 1) * 0.9 may come out a rounding error above a whole number.
ROUNDING = 1e-9


class TooFewScans(ValueError):
    """No finite limit exists at the wanted level."""


def check_level(level: float, name: str) -> None:
    """Raise a ValueError unless 0 < level < 1."""
    if not 0 < level < 1:
        raise ValueError(f"{name}: expected a probability above 0 and below 1, found {level!r}")


def conformal_rank(n: int, level: float) -> int:
    """Place, from 1, of the limit among `n` sorted scores: ceil((n + 1) level). Above n there is no finite limit."""
    return math.ceil((n + 1) * level - ROUNDING)


def fewest_scans(level: float) -> int:
    """Smallest n with a finite limit: n >= 1 / (1 - level) - 1, i.e. 9 at 90 %, 19 at 95 %."""
    return math.ceil(level / (1 - level) - ROUNDING)


def conformal_quantile(scores: FloatArray, level: float) -> float:
    """Limit that a new exchangeable score stays at or below with probability `level` or more: (n,) -> scalar.

    With scores that never tie the probability is conformal_rank / (n + 1), above `level` by less than 1 / (n + 1).
    Raises TooFewScans below `fewest_scans`, where the limit would be infinite; ValueError where a score is not finite.
    """
    check_level(level, "level")
    if not np.isfinite(scores).all():
        raise ValueError(
            f"scores: expected finite numbers, found {np.count_nonzero(~np.isfinite(scores))} that are not"
        )
    rank = conformal_rank(len(scores), level)
    if rank > len(scores):
        raise TooFewScans(
            f"expected scans of at least {fewest_scans(level)} patients for a level of {level:g}, found {len(scores)}; "
            "with fewer the interval is infinite: add labelled patients, or state a lower level"
        )
    return float(np.sort(scores)[rank - 1])


def p_value(score: float, calibration: FloatArray) -> float:
    """(1 + number of calibration scores >= score) / (n + 1): at most u with probability u or less, for a new scan."""
    return float((1 + np.count_nonzero(calibration >= score)) / (len(calibration) + 1))


def drawn_scans(patients: Sequence[str], eligible: NDArray[np.bool_], seed: int) -> NDArray[np.intp]:
    """One eligible scan of each patient, drawn at random: sorted positions.

    Visits of a patient resemble each other, so they are not exchangeable with a new patient's scan. With one drawn
    from each, calibration stands for "a scan of a new patient".
    """
    order = np.random.default_rng(seed).permutation(len(patients))
    first: dict[str, int] = {}
    for position in order:
        if eligible[position]:
            first.setdefault(patients[position], int(position))
    return np.array(sorted(first.values()), dtype=np.intp)
