"""Writing files so that a reader never sees half of one, and naming content by its hash."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 1 << 20


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` at the end, or is removed on an error.

    The temporary name keeps all suffixes of `path` (".nii.gz"), so that libraries choosing a format by the name
    write the right one. Its folder is made when missing. The temporary file exists already, empty, and the
    block must leave a file there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{os.getpid()}-", suffix=f"-{path.name}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; a finished artefact has the rights any other new file would have.
        temporary.chmod(0o666 & ~_umask())
        _flush_to_disk(temporary)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)  # a full disk does not say what it was too full for
        raise


def write_text_atomically(path: Path | str, text: str) -> None:
    """Write `text` (UTF-8, newlines as they are) to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json_atomically(path: Path | str, content: object) -> None:
    """Write `content` as JSON, indented by 2, keys in insertion order, with a newline at the end.

    Raises `ValueError` for NaN and infinity, which JSON does not have.
    """
    write_text_atomically(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv_atomically(path: Path | str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows as CSV, one line feed each, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text_atomically(path, text.getvalue())


def read_record(path: Path | str, remedy: str, expected: str | None = None) -> dict[str, Any]:
    """The names and values that a JSON file holds; a ValueError that ends in `remedy` where it is damaged, and calls
    what should be there `expected`.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected {expected or 'JSON'}, found {error}; {remedy}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected {expected or 'names and values'}, found {type(content).__name__}; {remedy}")
    return content


def sha256_of_file(path: Path | str) -> str:
    """Hex digest of one file, as `sha256sum` prints it; `sha256_of_files` of it alone is another number."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_files(paths: Sequence[Path | str]) -> str:
    """Hex digest over the bytes of the files in the given order; their names don't count.

    The length of each file is hashed before its bytes, so that bytes moved between files change the digest.
    """
    digest = hashlib.sha256()
    for path in map(Path, paths):
        digest.update(path.stat().st_size.to_bytes(8, "big"))
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current
