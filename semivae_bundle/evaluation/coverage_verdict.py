"""What the figures of a part of the code mean, in words, from stated thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

THRESHOLDS = {"share_of_perfect": 0.8, "prior_over_new": 1.25, "share_of_lines_with_a_hole": 0.15}
"""Below this share of the perfect case's figure one of the samples is called low; above the others there is a gap."""

LOW = {
    "precision": "prior draws land outside of the codes",
    "density": "prior draws land where codes are sparse",
    "recall": "codes lie where the prior does not draw",
    "coverage": "prior draws miss part of the codes",
}


def verdict(figures: Mapping[str, Any]) -> str:
    """`figures` of one part, as `latent_coverage` makes them: what is wrong, or that nothing is."""
    wrong = []
    for name, meaning in LOW.items():
        found, perfect = figures["samples"][name], figures["perfect"][name]
        if found < THRESHOLDS["share_of_perfect"] * perfect:
            wrong.append(f"{meaning} ({name} {found:.2f}, perfect {perfect:.2f})")
    ratio = figures["nearest_subjects"]["prior_over_new"]
    if ratio > THRESHOLDS["prior_over_new"]:
        wrong.append(f"prior draws are {ratio:.2f} times as far from subjects as new subjects are")
    share = figures["holes"]["share_of_lines"]
    if share > THRESHOLDS["share_of_lines_with_a_hole"]:
        wrong.append(f"holes on {share:.0%} of the lines between subjects")
    return "; ".join(wrong) if wrong else "codes fill the prior, and the lines between subjects, as far as can be told"
