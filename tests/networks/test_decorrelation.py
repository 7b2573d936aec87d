"""What earlier partitions explain of later ones."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.decorrelation import RIDGE, SequentialDecorrelation

SIZES = {"a": 2, "b": 2, "c": 3}


def raw_means(n: int, seed: int = 0) -> Tensor:
    """Means (n, 7) whose later dimensions repeat earlier ones, off centre and of unequal scale."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(n, 7, generator=generator)
    mixing = torch.eye(7) + 0.8 * torch.triu(torch.randn(7, 7, generator=torch.Generator().manual_seed(9)), diagonal=1)
    return own @ mixing * torch.linspace(1.0, 3.0, 7) + torch.arange(7)


def settled(momentum: float = 0.05, steps: int = 200) -> SequentialDecorrelation:
    layer = SequentialDecorrelation(SIZES, momentum)
    for step in range(steps):
        layer(raw_means(64, seed=step))
    return layer


def correlation_across(means: Tensor) -> float:
    owner = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    return float((torch.corrcoef(means.T) * (owner[:, None] != owner[None, :])).abs().max())


def test_what_is_left_is_uncorrelated_between_partitions_also_for_subjects_never_seen() -> None:
    layer, unseen = settled().eval(), raw_means(4000, seed=12345)
    assert correlation_across(unseen) > 0.5
    assert correlation_across(unseen - layer(unseen)) < 0.08


def test_one_full_batch_gives_the_least_squares_regression() -> None:
    layer, raw = SequentialDecorrelation(SIZES, 0.3), raw_means(500)
    explained = layer(raw)
    centred = (raw - raw.mean(dim=0)).double()
    expected = torch.zeros_like(centred)
    for start, stop in ((2, 4), (4, 7)):
        gram = centred[:, :start].T @ centred[:, :start] + 500 * RIDGE * torch.eye(start).double()
        expected[:, start:stop] = centred[:, :start] @ torch.linalg.solve(
            gram, centred[:, :start].T @ centred[:, start:stop]
        )
    torch.testing.assert_close(explained, expected.float(), rtol=1e-3, atol=1e-3)


def test_the_first_partition_is_left_alone_and_so_is_correlation_within_one() -> None:
    layer, raw = settled().eval(), raw_means(50)
    assert not layer(raw)[:, :2].any()
    assert not torch.tril(layer.coefficients).any()
    assert not layer.coefficients[4:, 4:].any()


def test_independent_partitions_lose_almost_nothing() -> None:
    layer = SequentialDecorrelation(SIZES, 0.01)
    for seed in range(300):
        layer(torch.randn(64, 7, generator=torch.Generator().manual_seed(seed)))
    assert layer.eval()(torch.randn(500, 7)).std() < 0.05


def test_in_evaluation_the_map_is_affine_and_nothing_is_learned() -> None:
    layer = settled().eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    a, b = raw_means(3, seed=1), raw_means(3, seed=2)
    torch.testing.assert_close(layer(0.5 * a + 0.5 * b), 0.5 * layer(a) + 0.5 * layer(b), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_a_fresh_layer_and_one_that_has_seen_a_single_scan_take_nothing_away() -> None:
    layer = SequentialDecorrelation(SIZES, 0.1)
    assert not layer.eval()(raw_means(4)).any()
    assert layer.train()(raw_means(1)).isfinite().all()
    assert float(layer.coefficients.abs().max()) < 1e-3


def test_no_gradient_passes() -> None:
    raw = raw_means(8).requires_grad_()
    assert not SequentialDecorrelation(SIZES, 0.1)(raw).requires_grad


def test_the_statistics_travel_with_the_weights() -> None:
    layer, other = settled(), SequentialDecorrelation(SIZES, 0.5)
    other.load_state_dict(layer.state_dict())
    raw = raw_means(5)
    assert torch.equal(other.eval()(raw), layer.eval()(raw))


@pytest.mark.parametrize("momentum", [0.0, 1.5])
def test_a_momentum_beyond_its_range_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match=r"momentum in \(0, 1\], found"):
        SequentialDecorrelation(SIZES, momentum)


def in_a_process(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "RANK": str(rank), "WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    layer = SequentialDecorrelation(SIZES, 0.3)
    for step in range(3):
        layer(raw_means(16, seed=step)[8 * rank : 8 * rank + 8])
    torch.save(layer.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_have_the_statistics_and_coefficients_of_one_on_the_joined_batch(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(in_a_process, args=(str(tmp_path),), nprocs=2)
    alone = SequentialDecorrelation(SIZES, 0.3)
    for step in range(3):
        alone(raw_means(16, seed=step))
    assert alone.coefficients.abs().max() > 0.1
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, value in alone.state_dict().items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-5)
