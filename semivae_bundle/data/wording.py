"""How a message names many things, and what was given."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral


def listed(names: Sequence[str], shown: int = 3) -> str:
    """The first few names and how many more there are: "a, b, c and 4 more"."""
    head = ", ".join(names[:shown])
    return f"{head} and {len(names) - shown} more" if len(names) > shown else head


def shown(value: object) -> str:
    """As a message says it: a command line makes True of an option without a value."""
    return "no value" if value is True else repr(value)


def not_whole(name: str, value: object, least: int | None = None) -> str:
    """What is wrong with an option that has to be a whole number, `least` or more; nothing for one that is."""
    fine = isinstance(value, Integral) and not isinstance(value, bool) and (least is None or int(value) >= least)
    expected = "a whole number" if least is None else f"a whole number >= {least}"
    return "" if fine else f"{name}: expected {expected}, found {shown(value)}"
