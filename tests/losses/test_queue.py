"""The memory of past means."""

import pytest
import torch

from semivae_bundle.losses.queue import MeanQueue


def test_the_newest_come_first_and_the_oldest_drop_out() -> None:
    queue = MeanQueue(3, 1)
    assert queue(torch.tensor([[1.0], [2.0]])).flatten().tolist() == [1, 2]
    assert queue(torch.tensor([[3.0], [4.0]])).flatten().tolist() == [3, 4, 1, 2]
    assert queue(torch.tensor([[5.0]])).flatten().tolist() == [5, 3, 4, 1]


def test_only_the_batch_carries_gradient() -> None:
    queue = MeanQueue(4, 2)
    queue(torch.ones(2, 2))
    batch = torch.ones(1, 2, requires_grad=True)
    queue(batch).square().sum().backward()
    assert batch.grad is not None
    assert batch.grad.tolist() == [[2.0, 2.0]]


def test_evaluation_remembers_nothing() -> None:
    queue = MeanQueue(4, 1).eval()
    queue(torch.ones(2, 1))
    assert queue(torch.zeros(1, 1)).shape == (1, 1)


def test_a_resumed_queue_holds_what_it_held() -> None:
    first, second = MeanQueue(4, 1), MeanQueue(4, 1)
    first(torch.tensor([[1.0], [2.0]]))
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(torch.zeros(1, 1)), torch.tensor([[0.0], [1.0], [2.0]]))


def test_an_empty_queue_is_refused() -> None:
    with pytest.raises(ValueError, match="queue: size must be >= 1, found 0"):
        MeanQueue(0, 1)
