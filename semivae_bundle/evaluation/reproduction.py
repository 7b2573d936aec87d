"""provenance -> the command that makes a result again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any


def evaluate_command(report: Mapping[str, Any]) -> str:
    """`python -m semivae_bundle evaluate ...` with what the result depends on spelt out. Folders are left to be filled
    in, since a result names none.
    """
    source, intervals = report["provenance"], report["intervals"]
    options: dict[str, Any] = {"evaluate_split": source.get("split"), "seed": source.get("seed")}
    for name, value in source.get("settings", {}).items():
        options["amp" if name == "bf16" else name] = value
    options |= {f"intervals#{name}": intervals[name] for name in ("level", "resamples")}
    options["intervals#permutations"] = report["independence"]["permutations"]
    options |= {f"verdict_targets#{name}": value for name, value in report.get("verdict_targets", {}).items()}
    lines = ["python -m semivae_bundle evaluate DATASET_DIR --output_dir OUTPUT_DIR"]
    lines += [f"--{name}={shlex.quote(_text(value))}" for name, value in options.items() if value is not None]
    return " \\\n    ".join(lines)


def _text(value: Any) -> str:
    # JSON's double quotes, since the shell's own are single; the options hold no null or true inside lists.
    return value if isinstance(value, str) else json.dumps(value)
