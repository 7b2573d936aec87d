"""What the C library does with freed memory."""

import ctypes
import subprocess
import sys

import pytest

from semivae_bundle.training.allocator import keep_freed_memory

# Page faults of twenty allocations of 40 MB, each freed before the next, after twenty others.
FAULTS = """
import resource, torch
from semivae_bundle.training.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
for _ in range(20):  # the heap grows to what it needs
    torch.ones(10_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="only glibc has these settings")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    def faults(keep: bool) -> int:
        script = FAULTS.format(keep=keep)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults(keep=True) < 0.1 * faults(keep=False)


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
