"""Statistical dependence between partitions as terms of the objective: a batch and the subjects before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from semivae_bundle.losses.covariance import (
    squared_cross_covariance,
    unit_aggregate_variance_penalty,
    unit_variance_penalty,
)
from semivae_bundle.losses.gather import gather_with_gradient
from semivae_bundle.losses.queue import MeanQueue
from semivae_bundle.networks.partition import partition_slices


def over_pairs(measure: Callable[[Tensor, Tensor], Tensor], means: Tensor, partition: Mapping[str, int]) -> Tensor:
    """Sum of `measure` over the pairs of partitions: means (n, L) -> ()."""
    blocks = [means[:, part] for part in partition_slices(partition).values()]
    return torch.stack([measure(a, b) for a, b in combinations(blocks, 2)]).sum()


class CrossPartitionDependence(nn.Module):
    """Sum over pairs of partitions of `measure`: SemiVAE's output -> ().

    `measure`: (n, D), (n, E) -> (), such as `squared_distance_correlation`, `hsic` or `squared_cross_covariance`. It
    sees the means of the batch, of all processes, and of the `queue_size` subjects before it; the gradient reaches the
    batch alone.
    """

    def __init__(
        self, partition: Mapping[str, int], queue_size: int, measure: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.partition, self.measure = dict(partition), measure
        self.queue = MeanQueue(queue_size, sum(partition.values()))

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` for its subjects' index -> ()."""
        means = self.queue(gather_with_gradient(output["mean"].float()), gather_with_gradient(target["index"]))
        return over_pairs(self.measure, means, self.partition)


class DIPVAEOne(nn.Module):
    r"""DIP-VAE-I (arXiv:1711.00848, eq. 6) with the blocks between partitions as its off-diagonal: output -> ().

    $\sum_{pairs} \sum_{ij} C_{ij}^2 + d \sum_i (C_{ii} - 1)^2$ with C the covariance of the means. Each pair counts
    once here and twice in the paper, so d = `diagonal` is its $\lambda_d / 2 \lambda_{od}$.
    """

    def __init__(self, partition: Mapping[str, int], queue_size: int, diagonal: float) -> None:
        super().__init__()
        self.partition, self.diagonal = dict(partition), diagonal
        self.queue = MeanQueue(queue_size, sum(partition.values()))

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` for its subjects' index -> ()."""
        means = self.queue(gather_with_gradient(output["mean"].float()), gather_with_gradient(target["index"]))
        blocks = over_pairs(squared_cross_covariance, means, self.partition)
        return blocks + self.diagonal * unit_variance_penalty(means)


class DIPVAETwo(DIPVAEOne):
    """DIP-VAE-II (arXiv:1711.00848, eq. 7): the variance asked to be 1 includes the batch's mean posterior variance."""

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` for its subjects' index -> ()."""
        means = self.queue(gather_with_gradient(output["mean"].float()), gather_with_gradient(target["index"]))
        blocks = over_pairs(squared_cross_covariance, means, self.partition)
        log_var = gather_with_gradient(output["log_var"].float())
        return blocks + self.diagonal * unit_aggregate_variance_penalty(means, log_var)
