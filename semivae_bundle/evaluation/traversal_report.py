"""Traversals -> the content of traversals.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from semivae_bundle.evaluation.bootstrap import METHOD, FloatArray
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.summary_table import aligned, number
from semivae_bundle.evaluation.traversal import Traversal
from semivae_bundle.evaluation.traversal_options import TraversalOptions
from semivae_bundle.evaluation.traversal_request import HELD_FIXED, positions
from semivae_bundle.evaluation.traversal_scores import FEWEST_CODES, Distance, followed_section, leakage_section
from semivae_bundle.features.normalizer import Normalizer

SCHEMA = "semivae-traversals/1"
TOGETHER = "_together"
DIRECTIONS = {
    "nearest": "the change of least norm that makes the head say so; no scan need have such a code",
    "usual": "the change that goes with such predictions among the encoded scans: regression of codes on predictions",
}
FARTHEST = (
    "Mahalanobis length of the change of the code at its farthest step, mean over scans, by the covariance of the "
    "encoded scans; far above that of the other direction: codes that do not occur; none below "
    f"{FEWEST_CODES} encoded scans"
)


def moves_of(options: TraversalOptions, normalizer: Normalizer) -> dict[str, list[int]]:
    """Name of a traversal -> positions of the heads that move in it, the judged one first."""
    moves = {column: positions([column], normalizer) for column in options.features}
    for column, others in options.together.items():
        if others:
            moves[column + TOGETHER] = positions([column, *others], normalizer)
    return moves


def direction_section(
    moved: Mapping[str, Sequence[Traversal]],
    normalizer: Normalizer,
    options: TraversalOptions,
    intervals: Intervals,
    distance: Distance,
) -> dict[str, Any]:
    """All figures of one direction. `moved`: name of a traversal, as in `moves_of`, -> one of each scan. Plain numbers,
    None where there are none.
    """
    places = dict(zip(options.features, positions(options.features, normalizer), strict=True))
    found = {
        "features": {column: followed_section(moved[column], column, intervals, distance) for column in places},
        "together": {
            column: {"moved_too": others, **followed_section(moved[column + TOGETHER], column, intervals, distance)}
            for column, others in options.together.items()
            if others
        },
        "leakage": leakage_section({column: moved[column] for column in places}, list(places.values()), intervals),
    }
    return dict(plain(found))


def traversal_report(
    directions: Mapping[str, Mapping[str, Any]],
    normalizer: Normalizer,
    options: TraversalOptions,
    intervals: Intervals,
    central: FloatArray,
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole file; `directions`: name -> its `direction_section`, or why it is missing."""
    places = zip(options.features, positions(options.features, normalizer), strict=True)
    report = {
        "schema": SCHEMA,
        "held_fixed": HELD_FIXED,
        "farthest_change": FARTHEST,
        "options": asdict(options),
        "central_ranges": {column: central[place] for column, place in places},
        "intervals": {"method": METHOD, "level": intervals.level, "resamples": intervals.resamples},
        "directions": {name: {"meaning": DIRECTIONS[name], **section} for name, section in directions.items()},
        "provenance": provenance,
    }
    return dict(plain(report))


def traversal_table(report: Mapping[str, Any]) -> str:
    """Rank correlation and slope of each traversal, for a person at a terminal."""
    rows = [["moved", "direction", "scans", "Spearman", "slope", "compared in", "change [SD]", "with an empty map"]]
    missing = []
    for direction, found in report["directions"].items():
        if "missing" in found:
            missing.append(f"{direction} direction: {found['missing']}")
            continue
        together = {column + TOGETHER: section for column, section in found["together"].items()}
        for name, section in (found["features"] | together).items():
            figures = [_with_interval(section["spearman"]), _with_interval(section["slope"]), section["compared_in"]]
            far = number(section["farthest_change"]["value"], ".1f")
            empty = str(section["without_the_region"]["scans"])
            rows.append([name, direction, str(section["scans"]), *figures, far, empty])
    return "\n".join([aligned(rows), *missing])


def _with_interval(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    interval = "" if estimate["low"] is None else f" [{estimate['low']:.3f}, {estimate['high']:.3f}]"
    return f"{estimate['value']:.3f}{interval}"
