"""Numbers as the page shows them: short, and a dash where there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DASH = "–"
MINUS = "−"


def number(value: float | None, digits: str = ".2f") -> str:
    """A figure with a true minus sign; a dash for None, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return DASH
    text = format(value, digits)
    if float(text) == 0:
        text = text.lstrip("-")
    if abs(value) >= 1000 and digits.endswith("g"):  # 1.2e+05 reads worse than 120 000
        text = format(float(text), ",.0f").replace(",", "\u202f")
    return text.replace("-", MINUS)


def between(low: float | None, high: float | None, digits: str = ".2f") -> str:
    """`low to high`; a dash where there is no interval."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return DASH
    return f"{number(low, digits)} to {number(high, digits)}"


def estimate(found: Mapping[str, Any] | None, digits: str = ".2f") -> str:
    """`value (low to high)` of an estimate in metrics.json."""
    if found is None or found.get("value") is None:
        return DASH
    interval = between(found.get("low"), found.get("high"), digits)
    return number(found["value"], digits) + ("" if interval == DASH else f" ({interval})")


def unit(name: str) -> str:
    """A unit of metrics.json in print: mm³ for mm3, nothing for a pure number."""
    return {"1": "", "mm2": "mm²", "mm3": "mm³"}.get(name, name)
