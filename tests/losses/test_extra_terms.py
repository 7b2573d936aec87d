"""The extra terms: what they sum, what they remember, and several processes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.losses.aggregate import normal_density_gap, normal_discrepancy
from semivae_bundle.losses.code_terms import BlockTotalCorrelation, MeansAgainstNormal
from semivae_bundle.losses.covariance import squared_cross_covariance
from semivae_bundle.losses.cross_partition import CrossPartitionDependence, DIPVAEOne, DIPVAETwo
from semivae_bundle.losses.dependence import hsic, squared_distance_correlation
from semivae_bundle.losses.total_correlation import stratified_log_weights
from semivae_bundle.losses.visits import VisitContrast

PARTITION = {"vol": 1, "loc": 2, "residual": 3}
TERMS: dict[str, Callable[[], nn.Module]] = {
    "covariance": lambda: CrossPartitionDependence(PARTITION, 16, squared_cross_covariance),
    "distance correlation": lambda: CrossPartitionDependence(PARTITION, 16, squared_distance_correlation),
    "hsic": lambda: CrossPartitionDependence(PARTITION, 16, hsic),
    "dip one": lambda: DIPVAEOne(PARTITION, 16, diagonal=0.5),
    "dip two": lambda: DIPVAETwo(PARTITION, 16, diagonal=0.5),
}
ALL_TERMS = TERMS | {
    "total correlation": lambda: BlockTotalCorrelation(PARTITION, "residual", 100, stratified_log_weights),
    "density": lambda: MeansAgainstNormal(6, 16, normal_density_gap),
    "discrepancy": lambda: MeansAgainstNormal(6, 16, normal_discrepancy),
    "visits": lambda: VisitContrast(PARTITION, "residual", 0.5),
}


def value_of(term: nn.Module, means: Tensor, first: int = 0) -> Tensor:
    """The term on a batch of the subjects from `first` on; every fourth is of the same patient."""
    output = {"mean": means, "log_var": 0.3 * means - 1, "latent": 1.1 * means}
    index = torch.arange(first, first + len(means))
    value: Tensor = term(output, {"index": index, "patient": index % 4})
    return value


def batches(n: int = 3, size: int = 8) -> Tensor:
    return torch.randn(n, size, 6, generator=torch.Generator().manual_seed(0))


def test_every_pair_of_partitions_counts_once() -> None:
    means = batches(1)[0]
    found = value_of(TERMS["covariance"](), means)
    parts = means.split([1, 2, 3], dim=1)
    expected = sum(squared_cross_covariance(parts[i], parts[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    torch.testing.assert_close(found, expected)


def test_dependence_within_a_partition_is_free() -> None:
    term, means = TERMS["distance correlation"](), batches(1, 200)[0]
    before = value_of(term, means)
    means[:, 4:] = means[:, 3:4]
    means[:, 2] = means[:, 1]
    assert (value_of(term, means) - before).abs() < 0.1


@pytest.mark.parametrize("name", TERMS)
def test_the_subjects_before_count_and_the_gradient_reaches_the_batch(name: str) -> None:
    term, (first, second, _) = TERMS[name](), batches()
    alone = value_of(TERMS[name](), second)
    value_of(term, first, 100)
    batch = second.clone().requires_grad_()
    value = value_of(term, batch)
    assert value.item() != pytest.approx(alone.item())
    value.backward()
    assert batch.grad is not None
    assert batch.grad.any(dim=0).all()


@pytest.mark.parametrize("name", TERMS)
def test_a_batch_of_one_is_enough_once_there_is_a_memory(name: str) -> None:
    term = TERMS[name]()
    for k, subject in enumerate(batches(1, 12)[0]):
        value = value_of(term, subject[None], k)
    assert value.isfinite()
    assert value.item() != 0


def test_dip_vae_two_asks_unit_variance_of_the_whole_code() -> None:
    output, target = {"mean": torch.zeros(40, 6), "log_var": torch.zeros(40, 6)}, {"index": torch.arange(40)}
    assert TERMS["dip two"]()(output, target).item() == 0
    assert TERMS["dip one"]()(output, target).item() == pytest.approx(0.5 * 6)


def test_the_total_correlation_is_that_of_its_block_alone() -> None:
    term, means = ALL_TERMS["total correlation"](), batches(1, 64)[0]
    means[:, 2] = means[:, 1]
    torch.manual_seed(0)
    apart = value_of(term, means)
    means[:, 4] = means[:, 3]
    torch.manual_seed(0)
    assert value_of(term, means) - apart > 0.5
    assert abs(apart.item()) < 0.5


def test_a_block_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a block among \['vol', 'loc', 'residual'\], found 'shape'"):
        BlockTotalCorrelation(PARTITION, "shape", 10, stratified_log_weights)


@pytest.mark.parametrize("name", ["density", "discrepancy"])
def test_means_that_ran_away_are_told_with_those_before_them(name: str) -> None:
    term = ALL_TERMS[name]()
    near = value_of(term, batches(1)[0]).item()
    assert value_of(term, 10 * batches(1)[0]).item() > 2 * near
    once_more = ALL_TERMS[name]()
    value_of(once_more, 10 * batches(1)[0], 100)
    assert value_of(once_more, batches(1)[0]).item() > near  # those before it are still remembered


def gradient_of(term: nn.Module, encoder: nn.Module, steps: Tensor, first: int = 0) -> Tensor:
    """Gradient of the last of several steps, whose subjects count from `first`, those of the next step 8 further."""
    for k, images in enumerate(steps):
        encoder.zero_grad()
        value_of(term, 4 * encoder(images), 8 * k + first).backward()
    return torch.cat([p.grad.flatten() for p in encoder.parameters()])  # type: ignore[union-attr]


def an_encoder() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 6))


def in_a_process(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "RANK": str(rank), "WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    found: dict[str, Any] = {}
    for name, make in ALL_TERMS.items():
        term, encoder = make(), nn.parallel.DistributedDataParallel(an_encoder())
        torch.manual_seed(rank)
        found[name] = gradient_of(term, encoder, batches()[:, 4 * rank : 4 * rank + 4], 4 * rank)
    # Left to the function's end it would take the process group down with it, and gloo's threads may wait for the
    # interpreter's lock meanwhile, for ever.
    del encoder
    if rank == 0:
        torch.save(found, f"{folder}/gradients.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_give_the_gradient_of_one_on_the_joined_batch(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(in_a_process, args=(str(tmp_path),), nprocs=2)
    found = torch.load(tmp_path / "gradients.pt", weights_only=True)
    for name, make in ALL_TERMS.items():
        term, encoder = make(), an_encoder()
        torch.manual_seed(0)
        torch.testing.assert_close(found[name], gradient_of(term, encoder, batches()), rtol=1e-5, atol=1e-5)
        assert found[name].abs().max() > 1e-4, name
