"""Of which kind an option must be: that of what it stands in the place of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from semivae_bundle.data.wording import shown

PATHS = {"checkpoint", "manifest", "initial_weights", "feature_weights", "extractor_weights"}
SHOWN = 3


def names_a_path(option: str) -> bool:
    """Whether the option of this name is a folder or a file."""
    last = option.replace("::", "#").rpartition("#")[2]
    return last in PATHS or last.endswith(("_dir", "_file"))


def kind_problem(name: str, value: object, configured: object) -> str | None:
    """What is wrong with `value` in the place of a number, a list or a mapping of the configs; None for anything else.

    A component may be replaced by anything.
    """
    if _is_expression(value):
        return None
    if _is_number(configured):
        return None if _could_be_number(value) else f"--{name}: expected a number, found {shown(value)}"
    if isinstance(configured, list):
        return _list_problem(name, value, configured)
    if isinstance(configured, dict) and "_target_" not in configured and not isinstance(value, Mapping):
        example = "{" + ", ".join(f"{key}: ..." for key in [*configured, "name"][:SHOWN]) + "}"
        return f"--{name}: expected names with values, as {example}, found {shown(value)}"
    return None


def _list_problem(name: str, value: object, configured: Sequence[Any]) -> str | None:
    plain = [one for one in configured if isinstance(one, str | int | float)]
    example = f"[{', '.join(map(str, plain[:SHOWN]))}{', ...' if len(plain) > SHOWN else ''}]"
    if not isinstance(value, list | tuple):
        hint = f"; write [{value}]" if isinstance(value, str) else ""
        return f"--{name}: expected a list such as {example}, found {shown(value)}{hint}"
    if plain and all(map(_is_number, configured)) and not all(map(_could_be_number, value)):
        return f"--{name}: expected a list of numbers such as {example}, found {list(value)}"
    return None


def _is_expression(value: object) -> bool:
    """What a config computes, or takes from elsewhere in it."""
    return isinstance(value, str) and value[:1] in ("$", "@", "%")


def _is_number(value: object) -> bool:
    """Not True and False, which Python counts among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _could_be_number(value: object) -> bool:
    """Whether a config may have `value` in the place of a number: only words, True and False can't be one."""
    if _is_expression(value):
        return True
    if not isinstance(value, str):
        return not isinstance(value, bool)
    try:
        float(value)
    except ValueError:
        return False
    return True
