"""How far from the subjects known so far is a new one, and how far is a draw from the prior?"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from semivae_bundle.evaluation.bootstrap import FloatArray

DIVISIONS = 5


def nearest_distances(points: FloatArray, known: FloatArray) -> FloatArray:
    """From each of `points` (m, d) to the nearest of `known` (n, d): (m,)."""
    return np.asarray(cdist(points, known).min(axis=1))


def distances_to_reference(codes: FloatArray, *, seed: int) -> dict[str, float]:
    """Medians over random divisions of the patients' `codes` (n, d), one each, into a reference half and a new half.

    `new`: from the new half to its nearest in the reference; `prior`: from as many draws of N(0, I);
    `prior_over_new`: their ratio. 1 where the prior lands as near to subjects as subjects do, above where it lands
    beside them, below where the codes are spread wider than the prior.
    """
    rng = np.random.default_rng(seed)
    new, prior = [], []
    for _ in range(DIVISIONS):
        order = rng.permutation(len(codes))
        reference, rest = codes[order[: len(codes) // 2]], codes[order[len(codes) // 2 :]]
        new.append(np.median(nearest_distances(rest, reference)))
        prior.append(np.median(nearest_distances(rng.normal(size=rest.shape), reference)))
    of_new, of_prior = float(np.mean(new)), float(np.mean(prior))
    return {"new": of_new, "prior": of_prior, "prior_over_new": of_prior / of_new if of_new > 0 else float("nan")}
