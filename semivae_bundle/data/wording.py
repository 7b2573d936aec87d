"""How a message names many things, and what was given."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[str], shown: int = 3) -> str:
    """The first few names and how many more there are: "a, b, c and 4 more"."""
    head = ", ".join(names[:shown])
    return f"{head} and {len(names) - shown} more" if len(names) > shown else head


def shown(value: object) -> str:
    """As a message says it: a command line makes True of an option without a value."""
    return "no value" if value is True else repr(value)
