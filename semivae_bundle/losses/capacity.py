"""A target for the KL of each partition, as a term of the objective."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.losses.gather import gather_with_gradient
from semivae_bundle.losses.kl import gaussian_kl
from semivae_bundle.networks.partition import partition_slices


class CapacityGap(nn.Module):
    r"""$\sum_p |KL_p - C_p|$ in nats per subject (arXiv:1804.03599, section 5, for each partition): output -> ().

    `capacity` names $C_p$ in nats for each partition, all its dimensions together; `scale` multiplies it and is what a
    schedule moves. Takes the place of the KL and its free bits: free bits let each dimension be used for nothing up to
    a floor, this asks that the partition be used, and leaves open by which dimensions. The weight of the term is the
    paper's gamma; above the worth of a nat it holds the KL at its target, and the objective is then no bound on the
    likelihood. The KL is the mean over the batch of all processes before the absolute value is taken: one subject may
    need more than another.
    """

    def __init__(self, partition: Mapping[str, int], capacity: Mapping[str, float]) -> None:
        super().__init__()
        if set(capacity) != set(partition) or not all(0 <= nats < float("inf") for nats in capacity.values()):
            raise ValueError(
                f"capacity: expected a number of nats >= 0 for each of {list(partition)}, found {dict(capacity)}"
            )
        self.slices = partition_slices(partition)
        self.capacity, self.scale = dict(capacity), dict.fromkeys(capacity, 1.0)

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE -> ()."""
        mean, log_var = (gather_with_gradient(output[name].float()) for name in ("mean", "log_var"))
        kl, now = gaussian_kl(mean, log_var), self.now()
        return torch.stack([(kl[part].sum() - now[name]).abs() for name, part in self.slices.items()]).sum()

    def now(self) -> dict[str, float]:
        """The capacity of each partition at its present scale, in nats."""
        return {name: nats * self.scale[name] for name, nats in self.capacity.items()}
