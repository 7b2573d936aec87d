"""Named features -> the Gaussian posterior of each latent partition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from semivae_bundle.networks.blocks import Float32Linear
from semivae_bundle.networks.encoder import FEATURES
from semivae_bundle.networks.partition import check_partition

MAX_LOG_VAR = 6.0
"""Far above the prior's 0: only a diverging run gets here, and it must not overflow the exponential."""

MEAN_START = 2.0
"""Gain of the means' first random projections of the features; gives them a variance near the prior's."""

LOG_VAR_START = -3.0
"""A fresh posterior of unit noise would drown the code: the decoder learns to ignore it before the encoder has anything
to say. Start at sigma = e^{-1.5} and let the KL widen it."""


class PartitionPosterior(nn.Module):
    """Mean and log-variance of one partition from the features it may read: dict of (B, n) -> twice (B, out).

    Both are affine in the features and in one hidden layer of them: the features pass by themselves too because a
    moment is often already the answer. The means start as random projections: from zero, the decoder would see noise
    alone and learn to ignore it, and dimensions that share a feature would stay copies of each other.
    """

    def __init__(self, feature_sizes: Mapping[str, int], reads: Sequence[str], hidden_size: int, out: int) -> None:
        super().__init__()
        unknown = [name for name in reads if name not in feature_sizes]
        if unknown or not reads:
            raise ValueError(f"posterior: expected to read some of {list(feature_sizes)}, found {list(reads)}")
        if len(set(reads)) < len(reads):
            raise ValueError(f"posterior: expected every feature once in what a partition reads, found {list(reads)}")
        if hidden_size < 1:
            raise ValueError(f"posterior: hidden_size must be >= 1, found {hidden_size}")
        self.reads = list(reads)
        size = sum(feature_sizes[name] for name in reads)
        self.hidden = Float32Linear(size, hidden_size)
        self.mean = Float32Linear(size + hidden_size, out)
        self.log_var = Float32Linear(size + hidden_size, out)
        nn.init.normal_(self.mean.weight, std=MEAN_START * (size + hidden_size) ** -0.5)
        nn.init.zeros_(self.mean.bias)
        nn.init.constant_(self.log_var.bias, LOG_VAR_START)

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Features by name, each (B, n) -> mean, log-variance (B, out), float32, unbounded."""
        read = torch.cat([features[name] for name in self.reads], dim=1).float()
        joined = torch.cat([read, silu(self.hidden(read))], dim=1)
        return self.mean(joined), self.log_var(joined)


class Posterior(nn.Module):
    """The posterior of all partitions, in their order: dict of (B, n) -> twice (B, L).

    `reads` names, for each partition, the features of the encoder that it sees: what a partition cannot see it cannot
    hold, whatever the objective rewards. The log-variance is clamped to [`min_log_var`, MAX_LOG_VAR], so that no
    dimension can buy unlimited precision.
    """

    def __init__(
        self,
        feature_sizes: Mapping[str, int],
        partition: Mapping[str, int],
        latent_size: int,
        reads: Mapping[str, Sequence[str]],
        hidden_size: int,
        min_log_var: float,
    ) -> None:
        super().__init__()
        check_partition(partition, latent_size)
        if set(reads) != set(partition):
            raise ValueError(f"posterior: reads must have one entry for each of {list(partition)}, found {list(reads)}")
        read = {feature for features in reads.values() for feature in features}
        unread = [name for name in feature_sizes if name not in FEATURES and name not in read]
        if unread:
            raise ValueError(
                f"posterior: the encoder adds {unread}, which no partition reads; expected them in "
                f"network_def#posterior#reads, found {dict(reads)}; a recipe laid later may have replaced it: "
                "write one that reads all"
            )
        if not -math.inf < min_log_var < MAX_LOG_VAR:  # false of NaN too
            raise ValueError(f"posterior: expected a finite min_log_var below {MAX_LOG_VAR}, found {min_log_var}")
        self.parts = nn.ModuleList(
            PartitionPosterior(feature_sizes, reads[name], hidden_size, size) for name, size in partition.items()
        )
        self.min_log_var = float(min_log_var)
        self.max_log_var = MAX_LOG_VAR  # TorchScript sees attributes, not module constants

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Features by name, each (B, n) -> mean and bounded log-variance (B, L), float32."""
        means, log_vars = [], []
        for part in self.parts:
            mean, log_var = part(features)
            means.append(mean)
            log_vars.append(log_var)
        return torch.cat(means, dim=1), torch.cat(log_vars, dim=1).clamp(self.min_log_var, self.max_log_var)
