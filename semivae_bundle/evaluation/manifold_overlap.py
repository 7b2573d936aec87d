"""Do two sets of points fill the same space? Four figures from balls that reach to the k-th neighbour."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.spatial.distance import cdist

from semivae_bundle.evaluation.bootstrap import FloatArray


@dataclass(frozen=True)
class Overlap:
    """Of generated points against real ones.

    `precision`: share of the generated in any real ball; `recall`: share of the real in any generated ball
    (arXiv:1904.06991, eq. 1 and 2). `density`: mean number of real balls that a generated point is in, over k, not
    bounded by 1; `coverage`: share of real balls with a generated point in them (arXiv:2002.09797, eq. 2 and 3).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold_overlap(real: FloatArray, generated: FloatArray, neighbours: int) -> Overlap:
    """`real` (n, d), `generated` (m, d); a ball is open and reaches from a point to its k-th neighbour in its own set,
    itself not counted. Open as in the reference implementation, so that identical sets have a density of 1.

    One generated outlier has a ball that holds many real points and raises recall; coverage takes its balls from the
    real points only. Raises ValueError for a set of no more than k points.
    """
    if min(len(real), len(generated)) <= neighbours:
        raise ValueError(
            f"overlap: expected more than {neighbours} points in each set, found {len(real)} and {len(generated)}"
        )
    between = cdist(real, generated)
    in_real = between < _reach(real, neighbours)[:, None]
    in_generated = between < _reach(generated, neighbours)[None, :]
    return Overlap(
        precision=float(in_real.any(axis=0).mean()),
        recall=float(in_generated.any(axis=1).mean()),
        density=float(in_real.sum(axis=0).mean() / neighbours),
        coverage=float(in_real.any(axis=1).mean()),
    )


def mean_overlap(found: list[Overlap]) -> Overlap:
    """Of several draws."""
    rows = [asdict(one) for one in found]
    return Overlap(**{name: float(np.mean([row[name] for row in rows])) for name in rows[0]})


def expected_coverage(real: int, generated: int, neighbours: int) -> float:
    """Coverage of n real by m generated points of one distribution, whatever it is: 1 - Π (n - i) / (n + m - i),
    i = 1..k (arXiv:2002.09797, Lemma 2).
    """
    i = np.arange(1, neighbours + 1)
    return float(1 - np.prod((real - i) / (real + generated - i)))


def _reach(points: FloatArray, neighbours: int) -> FloatArray:
    # The point itself is the nearest of all, at index 0.
    return np.asarray(np.partition(cdist(points, points), neighbours, axis=1)[:, neighbours])
