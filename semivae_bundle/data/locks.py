"""One process at a time in a folder."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from semivae_bundle.data.places import require_folder


def locked(folder: Path, writer: str) -> FileLock | None:
    """`folder` for this process alone, as long as the lock lives: another's results would be lost. ValueError, which
    calls them `writer`, where somebody has it; None on a file system that knows no locks.
    """
    require_folder(folder)
    # Not by thread: what holds the lock may be collected in another one, such as TensorBoard's, and then has to let go.
    lock = FileLock(folder / ".lock", is_singleton=True, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"output_dir: expected a folder that no other {writer} writes to, found one at work in {folder}; wait for "
            "it, or pass another --output_dir"
        ) from error
    except NotImplementedError:
        return None
    return lock
