"""The memory of past means."""

import pytest
import torch

from semivae_bundle.losses.dependence import squared_distance_correlation
from semivae_bundle.losses.queue import MeanQueue


def of(*subjects: int) -> torch.Tensor:
    return torch.tensor(subjects)


def test_the_newest_come_first_and_the_oldest_drop_out() -> None:
    queue = MeanQueue(3, 1)
    assert queue(torch.tensor([[1.0], [2.0]]), of(1, 2)).flatten().tolist() == [1, 2]
    assert queue(torch.tensor([[3.0], [4.0]]), of(3, 4)).flatten().tolist() == [3, 4, 1, 2]
    assert queue(torch.tensor([[5.0]]), of(5)).flatten().tolist() == [5, 3, 4, 1]


def test_a_subject_is_there_once_by_its_latest_mean() -> None:
    queue = MeanQueue(3, 1)
    queue(torch.tensor([[1.0], [2.0]]), of(1, 2))
    assert queue(torch.tensor([[10.0], [3.0]]), of(1, 3)).flatten().tolist() == [10, 3, 2]
    assert queue(torch.tensor([[4.0]]), of(4)).flatten().tolist() == [4, 10, 3, 2]


def test_a_subject_that_is_twice_in_a_batch_is_remembered_once_by_the_first() -> None:
    queue = MeanQueue(5, 1)
    queue(torch.tensor([[1.0], [2.0], [9.0], [3.0]]), of(1, 2, 1, 3))
    assert queue(torch.tensor([[4.0]]), of(4)).flatten().tolist() == [4, 1, 2, 3]
    assert queue(torch.tensor([[5.0]]), of(1)).flatten().tolist() == [5, 4, 2, 3]


def test_independent_blocks_of_a_small_cohort_look_independent_over_many_epochs() -> None:
    torch.manual_seed(0)
    cohort, queue, found = torch.randn(60, 40), MeanQueue(256, 40), []
    for _ in range(6):
        for subjects in torch.randperm(60).split(4):
            joined = queue(cohort[subjects] + 0.05 * torch.randn(4, 40), subjects)
            found.append(squared_distance_correlation(joined[:, :20], joined[:, 20:]))
    assert torch.stack(found[30:]).mean().abs().item() < 0.05
    assert joined.shape == (60, 40)


def test_only_the_batch_carries_gradient_as_if_all_rows_had_moved() -> None:
    queue = MeanQueue(4, 2)
    queue(torch.ones(2, 2), of(1, 2))
    batch = torch.ones(1, 2, requires_grad=True)
    queue(batch, of(3)).square().mean().backward()
    whole = torch.ones(1, 2, requires_grad=True)
    whole.square().mean().backward()
    assert batch.grad is not None
    torch.testing.assert_close(batch.grad, whole.grad)


def test_a_resumed_queue_holds_what_it_held() -> None:
    first, second = MeanQueue(4, 1), MeanQueue(4, 1)
    first(torch.tensor([[1.0], [2.0]]), of(1, 2))
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(torch.zeros(1, 1), of(2)), torch.tensor([[0.0], [1.0]]))


def test_an_empty_queue_is_refused() -> None:
    with pytest.raises(ValueError, match="queue: size must be >= 1, found 0"):
        MeanQueue(0, 1)
