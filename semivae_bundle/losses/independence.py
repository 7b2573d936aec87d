"""Linear independence of the latent partitions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from semivae_bundle.networks.partition import partition_slices


def cross_partition_mask(partition: Mapping[str, int]) -> Tensor:
    """1 where two latent dimensions lie in different partitions: (L, L)."""
    owner = torch.zeros(sum(partition.values()))
    for index, part in enumerate(partition_slices(partition).values()):
        owner[part] = index
    return (owner[:, None] != owner[None, :]).float()


def cross_partition_correlation(means: Tensor, mask: Tensor, *, epsilon: float = 1e-2) -> Tensor:
    r"""Pairwise Gaussian mutual information between dimensions of different partitions, in nats, to first order.

    $\frac12 \sum_{i<j} m_{ij} (r_{ij}^2 - \frac{1}{n-1})$ for `means` (n, L), `mask` (L, L) -> (). For two Gaussians
    the information is $-\frac12 \ln(1 - r^2) \approx r^2/2$. Independent dimensions give $E[r^2] = 1/(n-1)$, which is
    subtracted, so the expectation is 0 at independence for any n (it may be slightly negative). `epsilon` is added
    to the variances: a dimension that hardly moves has no correlation worth a gradient.
    """
    n = means.shape[0]
    if n < 3:
        return means.sum() * 0.0
    centred = means.float() - means.float().mean(dim=0)
    scaled = centred / (centred.square().mean(dim=0) + epsilon).sqrt()
    correlation = scaled.T @ scaled / n
    return 0.25 * (mask * (correlation.square() - 1 / (n - 1))).sum()
