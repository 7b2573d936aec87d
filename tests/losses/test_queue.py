"""The memory of past means."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.queue import MeanQueue


def rows(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1)


def test_the_newest_come_first_and_the_oldest_drop_out() -> None:
    queue = MeanQueue(3, 1)
    queue.push(rows(1, 2))
    assert queue(rows(9)).flatten().tolist() == [9, 1, 2]
    queue.push(rows(3, 4))
    assert queue(rows(9)).flatten().tolist() == [9, 3, 4, 1]
    queue.push(rows(5, 6, 7, 8))
    assert queue(rows(9)).flatten().tolist() == [9, 5, 6, 7]


def test_an_empty_queue_adds_nothing() -> None:
    assert torch.equal(MeanQueue(4, 1)(rows(1, 2)), rows(1, 2))


def test_only_the_batch_carries_gradient() -> None:
    queue = MeanQueue(4, 1)
    past = rows(1, 2).requires_grad_()
    queue.push(past)
    now = rows(3).requires_grad_()
    queue(now).sum().backward()
    assert now.grad is not None
    assert now.grad.tolist() == [[1.0]]
    assert past.grad is None
    assert not queue.memory.requires_grad


def test_what_is_stored_does_not_change_with_its_source() -> None:
    queue, means = MeanQueue(2, 1), rows(1, 2)
    queue.push(means)
    means.zero_()
    assert queue(rows(9)).flatten().tolist() == [9, 1, 2]


def test_a_checkpoint_brings_the_memory_back() -> None:
    queue, other = MeanQueue(3, 1), MeanQueue(3, 1)
    queue.push(rows(1, 2))
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other(rows(9)), queue(rows(9)))


def test_half_precision_means_are_kept_in_full_precision() -> None:
    queue = MeanQueue(2, 1)
    queue.push(rows(1.5).bfloat16())
    assert queue(rows(2.5).bfloat16()).dtype == torch.float32


def test_a_queue_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="queue: size must be >= 1, found 0"):
        MeanQueue(0, 4)
