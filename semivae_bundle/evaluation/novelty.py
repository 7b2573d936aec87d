"""Is this scan like those that the model was calibrated on? One verdict from several scores, at a stated error rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from semivae_bundle.evaluation.conformal import FloatArray, p_value
from semivae_bundle.evaluation.profile_distance import UsualProfile, mahalanobis, profile_scores
from semivae_bundle.evaluation.scan_profiles import READINGS

DISTANCE = "latent_distance"
SMALLEST = 1e-12


@dataclass(frozen=True)
class ScoreScale:
    """The usual range of ln(score): median, and robust standard deviation below and `above` it (None: the same)."""

    name: str
    centre: float
    spread: float
    above: float | None = None

    def spread_of(self, side: float) -> float:
        """Above the centre for a positive `side`, else below."""
        return self.spread if self.above is None or side <= 0 else self.above


@dataclass(frozen=True)
class Verdict:
    """`in_distribution` is False where `p_value` is at most the gate's rate; `reason` then names the scores beyond
    their limits. `strangeness` is the farthest score's distance from its centre, in its spreads. `scores` are all of
    them, in their own units.
    """

    in_distribution: bool
    p_value: float
    strangeness: float
    reason: str
    scores: Mapping[str, float]


@dataclass(frozen=True)
class NoveltyGate:
    """Limits that a scan like the calibration scans leaves with probability `false_alarm_rate` or less.

    Each ln(score) is brought to its usual scale; the farthest of them, on either side, is the scan's strangeness, and
    `limit` the conformal quantile of that in `calibration`, the sorted strangeness of the scans ranked against. `mean`,
    `covariance` (shrunk) give the Mahalanobis distance of a latent mean, `profiles` the scores of the image's profiles;
    a gate from before there were any has none, and judges by what `scales` names.
    """

    false_alarm_rate: float
    limit: float
    scales: tuple[ScoreScale, ...]
    fitted_scans: int
    calibration: tuple[float, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    profiles: tuple[UsualProfile, ...] = ()

    def judge(
        self, mean: FloatArray, scores: Mapping[str, float], profiles: Mapping[str, FloatArray] | None = None
    ) -> Verdict:
        """Verdict on one scan: latent mean (L,), its `scan_scores` and, for a gate with profiles, its
        `scan_profiles`.
        """
        everything = {**scores, DISTANCE: self.latent_distance(mean)}
        for usual in self.profiles:
            everything[usual.name] = float(profile_scores(usual, (profiles or {})[usual.name][None], READINGS)[0])
        strangeness = float(np.abs(standardised(everything, self.scales)).max())
        fits = strangeness <= self.limit
        return Verdict(
            in_distribution=fits,
            p_value=p_value(strangeness, np.array(self.calibration)),
            strangeness=strangeness,
            reason="" if fits else "; ".join(self._beyond(everything)),
            scores={scale.name: float(everything[scale.name]) for scale in self.scales},
        )

    def latent_distance(self, mean: FloatArray) -> float:
        """Mahalanobis distance of a latent mean (L,) from those of the fitted scans."""
        return float(mahalanobis(mean[None], np.array(self.mean), np.array(self.covariance))[0])

    def _beyond(self, scores: Mapping[str, float]) -> list[str]:
        """One phrase per score beyond its limit, the farthest first."""
        phrases = []
        for scale, z in zip(self.scales, standardised(scores, self.scales), strict=True):
            if abs(z) > self.limit:
                side, edge = (1, "above its upper") if z > 0 else (-1, "below its lower")
                limit = float(np.exp(scale.centre + side * self.limit * scale.spread_of(side)))
                value = scores[scale.name]
                ratio = value / limit if side > 0 else limit / max(value, SMALLEST)
                phrases.append(
                    (-abs(z), f"{scale.name} {value:.4g} is {edge} limit {limit:.4g} by a factor {ratio:.3g}")
                )
        return [phrase for _, phrase in sorted(phrases)]

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> NoveltyGate:
        """From what JSON holds."""
        return cls(
            **{
                **content,
                "scales": tuple(ScoreScale(**scale) for scale in content["scales"]),
                "calibration": tuple(content["calibration"]),
                "mean": tuple(content["mean"]),
                "covariance": tuple(tuple(row) for row in content["covariance"]),
                "profiles": tuple(map(UsualProfile.from_plain, content.get("profiles", ()))),
            }
        )


def standardised(scores: Mapping[str, Any], scales: tuple[ScoreScale, ...]) -> FloatArray:
    """(ln score - centre) / spread per scale: (S,) for numbers, (S, n) for arrays. A score of 0 counts as tiny."""
    rows = []
    for scale in scales:
        offset = np.log(np.maximum(scores[scale.name], SMALLEST)) - scale.centre
        rows.append(offset / np.where(offset > 0, scale.spread_of(1), scale.spread_of(-1)))
    return np.array(rows)
