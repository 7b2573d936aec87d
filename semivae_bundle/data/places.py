"""Asked before hours of work: may its result be written where it is wanted?"""

from __future__ import annotations

import tempfile
from pathlib import Path

HEAD_BYTES = 1 << 16


def require_folder(folder: Path) -> None:
    """Make the folder where it is missing; ValueError where there is a file, or where nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(
            f"{folder}: expected a folder to write to, found a file there or on the way; pass another --output_dir"
        ) from error
    except OSError as error:
        raise ValueError(
            f"{folder}: expected a folder to write to, found that it can't be written to ({error.strerror}); pass "
            "another --output_dir, or see to rights and space there"
        ) from error


def require_place(file: str | Path, mark: str) -> None:
    """ValueError where `file` cannot be written, or is there and of another kind: one slip of an option's name would
    replace a person's file, or the weights. `mark` stands near the beginning of every file of the kind; nothing is lost
    with an empty one.
    """
    path = Path(file)
    require_folder(path.parent)
    if path.is_dir():
        raise ValueError(f"{path}: expected the name of a file to write, found a folder; add a name to it")
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if mark.encode() not in head:
        raise ValueError(
            f"{path}: expected no file there, or an earlier one of the kind that is written, in which {mark!r} stands, "
            "found another, which would be lost; pass another file, or move this one away"
        )
