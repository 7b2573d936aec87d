"""More jobs than devices: each device takes the next job when it is free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue


def on_devices(names: Sequence[str], devices: Sequence[str | None], job: Callable[[str, str | None], None]) -> None:
    """`job(name, device)` for every name, in order, at most one at a time on each device.

    The first error is raised once the jobs that run have ended; what has not begun then never does.
    """
    free: SimpleQueue[str | None] = SimpleQueue()
    for device in devices:
        free.put(device)

    def run(name: str) -> None:
        device = free.get()
        try:
            job(name, device)
        finally:
            free.put(device)

    executor = ThreadPoolExecutor(max_workers=len(devices))
    try:
        for done in as_completed([executor.submit(run, name) for name in names]):
            done.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
