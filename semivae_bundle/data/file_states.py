"""Whether files are still those that were checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.data.subjects import Subject


@dataclass(frozen=True)
class FileState:
    """Size and time of the last change tell without reading that a file is the same; `sha256` where the time differs,
    as it does in a copy.
    """

    bytes: int
    mtime_ns: int
    sha256: str


def file_states(subject: Subject, dataset_dir: str | Path) -> dict[str, FileState]:
    """Path, as the subject has it -> state, of its images and mask."""
    return {path: _state(Path(dataset_dir) / path) for path in subject.paths}


def replaced_files(dataset_dir: str | Path, states: Mapping[str, FileState]) -> list[str]:
    """Those of `states` that have other content now; one that is away is the business of whoever reads it."""
    # Reading and asking for sizes let other threads run.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        same = threads.map(lambda path: _is_same(Path(dataset_dir) / path, states[path]), states)
        return [path for path, is_same in zip(states, same, strict=True) if not is_same]


def _state(path: Path) -> FileState:
    found = path.stat()
    return FileState(found.st_size, found.st_mtime_ns, sha256_of_file(path))


def _is_same(path: Path, state: FileState) -> bool:
    try:
        found = path.stat()
        if (found.st_size, found.st_mtime_ns) == (state.bytes, state.mtime_ns):
            return True
        return found.st_size == state.bytes and sha256_of_file(path) == state.sha256
    except OSError:
        return True
