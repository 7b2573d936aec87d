"""A verdict: a figure with its interval, held against a target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "open", "fail", "missing"]
OUTCOMES: tuple[Outcome, ...] = ("pass", "open", "fail", "missing")


@dataclass(frozen=True)
class Bounded:
    """A figure and the bounds that its true value lies in; None where there is none. `note` says what it is of, or why
    it is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """One check. `at_least`: whether the target is a lower limit or an upper one; `reason` is why it is what it is. A
    target that depends on what is missing is None.
    """

    check: str
    title: str
    found: Bounded
    target: float | None
    at_least: bool
    unit: str
    outcome: Outcome
    reason: str


def judge(found: Bounded, target: float, *, at_least: bool) -> Outcome:
    """`pass` where all of the interval is on the right side of the target, `fail` where all is on the wrong one.

    `open` where it straddles the target, or where there is no interval: one lucky draw must not pass. An interval that
    ends on the target passes. `missing` without a value.
    """
    if not _known(found.value):
        return "missing"
    if found.low is None or found.high is None or not _known(found.low) or not _known(found.high):
        return "open"
    good, bad = (found.low, found.high) if at_least else (-found.high, -found.low)
    limit = target if at_least else -target
    if good >= limit:
        return "pass"
    return "fail" if bad < limit else "open"


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
