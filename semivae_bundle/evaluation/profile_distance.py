"""How far a profile is from the usual ones, and whether it would be nearer if read in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from semivae_bundle.evaluation.conformal import FloatArray

NARROWEST = 1e-3  # what never varies in the calibration scans must not decide alone
FOLDS = 5


@dataclass(frozen=True)
class Readings:
    """How a profile would read if the scan had been mistaken for another: in P ways its numbers in another `order`
    (P, K), multiplied by `sign` (P, K).
    """

    order: NDArray[np.intp]
    sign: FloatArray

    def of(self, profiles: FloatArray) -> FloatArray:
        """(n, K) -> (P, n, K)."""
        return np.asarray(profiles[:, self.order].swapaxes(0, 1) * self.sign[:, None])


@dataclass(frozen=True)
class UsualProfile:
    """Of the profiles called `name`: `centre` and `spread` (K,), `covariance` (K, K) of (profile - centre) / spread,
    shrunk. Standardised first, since shrinking is towards one variance for all.
    """

    name: str
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    def distances(self, profiles: FloatArray) -> FloatArray:
        """Mahalanobis distance (n, K) -> (n,)."""
        offset = (profiles - np.array(self.centre)) / np.array(self.spread)
        return mahalanobis(offset, np.zeros(offset.shape[1]), np.array(self.covariance))

    def doubts(self, profiles: FloatArray, readings: Readings) -> FloatArray:
        """Distance over the least distance of any other of the `readings`: (n, K) -> (n,).

        Above 1 another reading fits better. A distance alone is blind to a change that is small beside the spread
        between scanners; of the ratio that spread is gone, as of a ratio of likelihoods.
        """
        others = np.min([self.distances(one) for one in readings.of(profiles)], axis=0)
        return self.distances(profiles) / np.maximum(others, NARROWEST)

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> UsualProfile:
        """From what JSON holds."""
        rows = tuple(tuple(row) for row in content["covariance"])
        return cls(content["name"], tuple(content["centre"]), tuple(content["spread"]), rows)


def fit_usual_profile(name: str, profiles: FloatArray) -> UsualProfile:
    """From (n, K); covariance by Ledoit and Wolf (2004, doi:10.1016/S0047-259X(03)00096-4)."""
    centre, spread = profiles.mean(axis=0), np.maximum(profiles.std(axis=0), NARROWEST)
    covariance = ledoit_wolf((profiles - centre) / spread)[0]
    rows = tuple(tuple(row) for row in covariance.tolist())
    return UsualProfile(name, tuple(centre.tolist()), tuple(spread.tolist()), rows)


def profile_scores(usual: UsualProfile, profiles: FloatArray, readings: Mapping[str, Readings]) -> FloatArray:
    """The score of each profile (n, K) -> (n,): a doubt where there are `readings` for it, else a distance."""
    if usual.name in readings:
        return usual.doubts(profiles, readings[usual.name])
    return usual.distances(profiles)


def held_out_scores(name: str, profiles: FloatArray, readings: Mapping[str, Readings]) -> FloatArray:
    """Score of each profile (n, K) by a fit on the other four fifths: (n,)."""
    return held_out(profiles, lambda rest, left: profile_scores(fit_usual_profile(name, rest), left, readings))


def held_out(values: FloatArray, score: Callable[[FloatArray, FloatArray], FloatArray]) -> FloatArray:
    """`score`(the other four fifths, one fifth) of every fifth of `values` (n, K): (n,), what a new scan would have."""
    scores, fold = np.empty(len(values)), np.arange(len(values)) % FOLDS
    for k in range(FOLDS):
        scores[fold == k] = score(values[fold != k], values[fold == k])
    return scores


def mahalanobis(means: FloatArray, centre: FloatArray, covariance: FloatArray) -> FloatArray:
    r"""$\sqrt{(\mu - m)^T \Sigma^{-1} (\mu - m)}$ of vectors (n, K): (n,); near $\sqrt{K}$ for usual ones."""
    offset = means - centre
    return np.asarray(np.sqrt(np.einsum("nl,nl->n", offset, np.linalg.solve(covariance, offset.T).T)))
