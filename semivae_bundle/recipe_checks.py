"""Recipes that are laid over what they are not for, and recipes that replace each other's parts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def check_recipes(config: str, recipes: Sequence[str]) -> None:
    """ValueError for a recipe that changes a part which neither `config` nor an earlier recipe has; a warning, which
    names both, where one replaces a block that an earlier one has set, as the last has its way.
    """
    from monai.bundle import ConfigParser

    known = _whole(ConfigParser.load_config_file(config))
    earlier: dict[str, dict[str, Any]] = {}
    for file in recipes:
        name = Path(file).stem
        content = {key.lstrip("+"): value for key, value in ConfigParser.load_config_file(file).items()}
        known |= _whole(content)
        if strange := [key for key in content if key.partition("#")[0] not in known]:
            raise ValueError(
                f"recipe {name}: changes {strange[0]}, and {Path(config).name} has no {strange[0].partition('#')[0]}; "
                "the recipe is for another step, such as the training: leave it out here"
            )
        for other, before in earlier.items():
            for key in _replaced(before, content):
                logger.warning("recipe %s replaces %s, which recipe %s has set; leave one out", name, key, other)
        earlier[name] = content


def _whole(content: Mapping[str, Any]) -> set[str]:
    """Ids that a config has itself, and not only a part of."""
    return {key for key in content if "#" not in key}


def _replaced(before: Mapping[str, Any], later: Mapping[str, Any]) -> list[str]:
    """Components of `later` that `before` has too, and otherwise, or has changed a part of."""
    blocks = {key: value for key, value in later.items() if isinstance(value, dict) and "_target_" in value}
    return [
        key
        for key, block in blocks.items()
        if before.get(key, block) != block or any(other.startswith(f"{key}#") for other in before)
    ]
