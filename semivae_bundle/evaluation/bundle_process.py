"""A run of the bundle in a process of its own, as a user would start it, and what several runs share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from semivae_bundle.data.files import write_json_atomically

PACKAGE_PARENT = Path(__file__).resolve().parents[2]


def visible_devices() -> list[str]:
    """The CUDA devices that this process may use, as CUDA_VISIBLE_DEVICES names them; none without CUDA."""
    count = torch.cuda.device_count()
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return (listed.split(",") if listed else [str(number) for number in range(count)])[:count]


def run_bundle(
    run_id: str,
    config_files: Sequence[str | Path],
    options: Mapping[str, Any],
    device: str | None = None,
    log: Path | None = None,
) -> None:
    """One `python -m monai.bundle run`, but for its errors, which end in a line; raises ChildProcessError where it
    fails.

    `device`: the one CUDA device that it sees, None to leave it as it is. `log`: file for what it prints, None to let
    it print here.
    """
    command = [sys.executable, "-m", "semivae_bundle.child_run", "run", run_id]
    command += ["--config_file", str([str(file) for file in config_files])]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    path = os.pathsep.join([str(PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    with ExitStack() as stack:
        stream = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(log.open("w", encoding="utf-8"))
        code = subprocess.run(command, env=environment, stdout=stream, stderr=stream).returncode
    if code != 0:
        where = "what it printed stands above" if log is None else f"what it printed is in {log}"
        raise ChildProcessError(f"{run_id} in {options.get('output_dir')}: expected exit code 0, found {code}; {where}")


def shared_files(folder: Path) -> dict[str, Path]:
    """Options that make several runs on one cohort read the same records and cache."""
    files = {
        "cohort_file": "cohort.json",
        "splits_file": "splits.json",
        "features_file": "features.csv",
        "normalizer_file": "normalizer.json",
        "train#dataset#cache_dir": "cache",
        "validate#dataset#cache_dir": "cache",
    }
    return {option: folder / name for option, name in files.items()}


def refuse_other_options(file: Path, options: Mapping[str, Any]) -> None:
    """Remember in `file` what its folder was run with; raise ValueError where it was something else.

    Paths in the folder above, whose runs share them, count from there: it may be moved.
    """
    above = f"{file.parents[1]}{os.sep}"

    def from_there(content: Mapping[str, Any]) -> dict[str, Any]:
        return {name: one.removeprefix(above) if isinstance(one, str) else one for name, one in content.items()}

    now = from_there(json.loads(json.dumps(options, default=str)))
    if not file.exists():
        write_json_atomically(file, now)
    then = from_there(json.loads(file.read_text(encoding="utf-8")))
    differing = {name: (then.get(name), now.get(name)) for name in {*then, *now} if then.get(name) != now.get(name)}
    if differing:
        raise ValueError(
            f"{file.parent}: was run with other options, (then, now) {differing}; remove it or give another output_dir"
        )
