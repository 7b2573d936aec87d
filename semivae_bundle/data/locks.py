"""One process at a time in a folder."""

from __future__ import annotations

from errno import ENOLCK, ENOSYS, ENOTSUP
from pathlib import Path

from filelock import FileLock, Timeout

from semivae_bundle.data.places import require_folder

NO_LOCKS = {ENOSYS, ENOLCK, ENOTSUP}  # Lustre without flock, NFS without its lock service, some network folders


def locked(folder: Path, writer: str) -> FileLock | None:
    """`folder` for this process alone, as long as the lock lives: another's results would be lost. ValueError, which
    calls them `writer`, where somebody has it or the lock is another user's; None on a file system that knows no locks.
    """
    require_folder(folder)
    file = folder / ".lock"
    # Not by thread: what holds the lock may be collected in another one, such as TensorBoard's, and then has to let go.
    # Not soft: a file that stands for a lock outlasts a run that was killed on another machine.
    lock = FileLock(file, is_singleton=True, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"output_dir: expected a folder that no other {writer} writes to, found one at work in {folder}; wait for "
            "it, or pass another --output_dir"
        ) from error
    except PermissionError as error:
        raise ValueError(
            f"{file}: expected a lock of your own, found another user's; remove it if no {writer} is at work there, or "
            "pass another --output_dir"
        ) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return None
    return lock
