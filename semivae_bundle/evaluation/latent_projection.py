"""A part of the code laid flat: (n, d) -> two coordinates, and what to call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from semivae_bundle.evaluation.bootstrap import FloatArray

Flat = tuple[FloatArray, tuple[str, str]]
Projection = Callable[[FloatArray], Flat]


def pca_projection(codes: FloatArray) -> Flat:
    """The two directions of largest variance: codes (n, d), n >= 2 -> (n, 2), their names with the share of variance.

    Linear, so distances in the picture are never larger than in the code. One dimension alone has a flat second axis.
    """
    centred = codes - codes.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    padded = np.zeros((len(codes), 2))
    kept = min(2, len(size))
    padded[:, :kept] = left[:, :kept] * size[:kept]
    share = np.square(size) / max(float(np.square(size).sum()), 1e-12)
    names = [f"PC {k + 1}, {share[k] if k < len(share) else 0:.0%}" for k in range(2)]
    return padded, (names[0], names[1])


@dataclass(frozen=True)
class UmapProjection:
    """UMAP (arXiv:1802.03426), the optional extra `umap`: neighbourhoods are kept, distances and sizes of gaps are not.

    Instead of `pca_projection`: --projection "{'_target_':
    'semivae_bundle.evaluation.latent_projection.UmapProjection', 'neighbours': 15, 'least_distance': 0.1, 'seed': 0}".
    Raises ValueError where umap-learn is not installed.
    """

    neighbours: int
    least_distance: float
    seed: int

    def __post_init__(self) -> None:
        # At once, not after the scans have been evaluated.
        if find_spec("umap") is None:
            raise ValueError(
                "projection: expected the package umap-learn, found none; install it with: "
                "pip install -c constraints.txt -e '.[umap]', or leave --projection at its default, PCA"
            )

    def __call__(self, codes: FloatArray) -> Flat:
        """Codes (n, d) -> (n, 2)."""
        from umap import UMAP

        found = UMAP(n_neighbors=self.neighbours, min_dist=self.least_distance, random_state=self.seed, n_jobs=1)
        return np.asarray(found.fit_transform(codes), dtype=np.float64), ("UMAP 1", "UMAP 2")
