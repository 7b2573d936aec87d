"""How the latent space is judged."""

from __future__ import annotations

from dataclasses import dataclass

LIMITS = {"neighbours": (1, 19), "folds": (2, 10), "trees": (1, 10_000), "draws": (1, 1_000_000)}
"""What can be had of the fewest patients that a section is computed for."""


@dataclass(frozen=True)
class LatentOptions:
    """`neighbours` of the estimator of mutual information and of the balls of `manifold_overlap`, `folds` of the
    held-out probes, `trees` of the boosted one, `draws` of the permutation null of two dimensions,
    `false_discovery_rate` that is allowed for, `seed`.
    """

    neighbours: int
    folds: int
    trees: int
    draws: int
    false_discovery_rate: float
    seed: int

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"latent_scores: expected {name} in {least}..{most}, found {getattr(self, name)}")
        if not 0 < self.false_discovery_rate < 1:
            raise ValueError(
                f"latent_scores: expected false_discovery_rate between 0 and 1, found {self.false_discovery_rate}"
            )
