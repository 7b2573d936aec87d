"""Jobs and the devices they wait for."""

import time
from threading import Barrier, Lock

import pytest

from semivae_bundle.evaluation.device_queue import on_devices


def test_each_device_does_one_job_at_a_time_and_all_are_used() -> None:
    together, lock, busy, seen = Barrier(2, timeout=10), Lock(), set(), []

    def job(name: str, device: str | None) -> None:
        with lock:
            assert device not in busy
            busy.add(device)
            seen.append((name, device))
        together.wait()  # passes only if the other device works at the same time
        with lock:
            busy.remove(device)

    on_devices(["a", "b", "c", "d"], ["0", "1"], job)
    assert {name for name, _ in seen} == {"a", "b", "c", "d"}
    assert {device for _, device in seen} == {"0", "1"}


def test_one_device_does_them_in_order() -> None:
    seen = []
    on_devices(["a", "b", "c"], [None], lambda name, device: seen.append((name, device)))
    assert seen == [("a", None), ("b", None), ("c", None)]


def test_after_an_error_nothing_more_begins() -> None:
    seen = []

    def job(name: str, device: str | None) -> None:
        seen.append(name)
        time.sleep(0.2)
        raise ChildProcessError(name)

    with pytest.raises(ChildProcessError, match="a"):
        on_devices(["a", "b", "c", "d"], [None], job)
    assert len(seen) < 4


def test_nothing_to_do_is_done() -> None:
    on_devices([], [None], lambda name, device: pytest.fail(name))
