"""Terms of the objective on the distribution of the code itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.losses.gather import gather_with_gradient
from semivae_bundle.losses.queue import MeanQueue
from semivae_bundle.losses.total_correlation import random_orders, total_correlation
from semivae_bundle.networks.partition import partition_slices


class BlockTotalCorrelation(nn.Module):
    """Total correlation of the partition `block`, in nats, from the batch of all processes: output -> ().

    `dataset_size`: number of training subjects. `log_weights`: `weighted_log_weights` or `stratified_log_weights`. Of
    no use on many dimensions at a small batch, where it is 0 with its gradient (see `total_correlation`): for 76
    dimensions, half of them copies of the other half, the gradient is 1e-6 at a batch of 4 and 0.1 at 64.
    """

    def __init__(
        self, partition: Mapping[str, int], block: str, dataset_size: int, log_weights: Callable[[int, int], Tensor]
    ) -> None:
        super().__init__()
        if block not in partition:
            raise ValueError(f"total correlation: expected a block among {list(partition)}, found {block!r}")
        self.part = partition_slices(partition)[block]
        self.dataset_size, self.log_weights = dataset_size, log_weights

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE -> ()."""
        z, mean, log_var = (
            gather_with_gradient(output[name][:, self.part].float()) for name in ("latent", "mean", "log_var")
        )
        orders = random_orders(z.shape[0], z.shape[1], z.device)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.broadcast(orders, 0)  # one statistic needs one shuffle
        return total_correlation(z, mean, log_var, orders, dataset_size=self.dataset_size, log_weights=self.log_weights)


class MeansAgainstNormal(nn.Module):
    """How far the means of the batch and of the `queue_size` subjects before it are from a standard normal, by
    `measure`: (n, L) -> (), such as `normal_density_gap` or `normal_discrepancy`: output -> ().
    """

    def __init__(self, latent_size: int, queue_size: int, measure: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.queue, self.measure = MeanQueue(queue_size, latent_size), measure

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` for its subjects' index -> ()."""
        means = self.queue(gather_with_gradient(output["mean"].float()), gather_with_gradient(target["index"]))
        return self.measure(means)
