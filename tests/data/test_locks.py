"""One process at a time in a folder."""

import subprocess
import sys
from errno import EACCES, ENOLCK, ENOSYS, ENOTSUP
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock

from semivae_bundle.data.locks import locked


def test_a_folder_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    lock, same = locked(tmp_path, "inference"), locked(tmp_path, "inference")
    assert lock is same is not None
    other = (
        "from pathlib import Path; from semivae_bundle.data.locks import locked; "
        f"locked(Path({str(tmp_path)!r}), 'inference')"
    )
    outcome = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert "expected a folder that no other inference writes to, found one at work in" in outcome.stderr
    assert outcome.returncode == 1


def test_a_folder_is_free_again_when_its_lock_is_dropped_in_another_thread(tmp_path: Path) -> None:
    held = [locked(tmp_path, "training")]
    thread = Thread(target=held.clear)
    thread.start()
    thread.join()
    assert locked(tmp_path, "training") is not None


@pytest.mark.parametrize("number", [ENOSYS, ENOLCK, ENOTSUP])
def test_a_file_system_without_locks_is_written_to_all_the_same(tmp_path: Path, monkeypatch, number: int) -> None:
    def flock(_file: int, _operation: int) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr("fcntl.flock", flock)
    assert locked(tmp_path, "training") is None


def test_a_lock_that_another_user_left_is_told_with_its_remedy(tmp_path: Path, monkeypatch) -> None:
    def acquire(_lock: FileLock, timeout: float) -> None:
        raise PermissionError(EACCES, "Permission denied", str(tmp_path / ".lock"))

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with pytest.raises(ValueError, match=r"\.lock: expected a lock of your own, .* remove it if no training is"):
        locked(tmp_path, "training")
