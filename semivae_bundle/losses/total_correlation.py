"""Total correlation of a block of the code, from one minibatch and without offset."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

LOG_2_PI = math.log(2 * math.pi)


def pairwise_log_density(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Ln q(z_i,d | x_j) of every sample under every posterior, by dimension: (B, D) three times -> (B, B, D)."""
    z, mean, log_var = z.float().unsqueeze(1), mean.float().unsqueeze(0), log_var.float().unsqueeze(0)
    return -0.5 * ((z - mean).square() * torch.exp(-log_var) + log_var + LOG_2_PI)


def weighted_log_weights(batch: int, dataset_size: int) -> Tensor:
    """Minibatch-weighted sampling (arXiv:1802.04942, C.1): (B, B) log-weights. The published 1 / (N M) are made to add
    up to 1, after which the data-set size N drops out.
    """
    return torch.full((batch, batch), -math.log(batch))


def stratified_log_weights(batch: int, dataset_size: int) -> Tensor:
    """Minibatch-stratified sampling (arXiv:1802.04942, C.2): (B, B) log-weights whose rows add up to 1.

    The subject that a sample came from stands for itself alone, 1 / N; the others for the rest of the cohort,
    (N - 1) / N, evenly. (The published form gives one of the others what the split leaves over; evenly is the same in
    expectation and does not depend on the order.)
    """
    if batch < 2:
        return torch.zeros(batch, batch)
    own = torch.eye(batch)
    return torch.log(own / dataset_size + (1 - own) * (dataset_size - 1) / (dataset_size * (batch - 1)))


def raw_total_correlation(log_density: Tensor, log_weights: Tensor) -> Tensor:
    """Mean over samples of ln q(z) - sum_d ln q(z_d): (B, B, D), (B, B) -> ()."""
    joint = torch.logsumexp(log_weights + log_density.sum(dim=2), dim=1)
    marginals = torch.logsumexp(log_weights.unsqueeze(2) + log_density, dim=1).sum(dim=1)
    return (joint - marginals).mean()


def total_correlation(
    z: Tensor,
    mean: Tensor,
    log_var: Tensor,
    permutations: Tensor,
    *,
    dataset_size: int,
    log_weights: Callable[[int, int], Tensor],
) -> Tensor:
    r"""Total correlation $KL(q(z) \| \prod_d q(z_d))$ of a minibatch in nats, with the same estimate of a code that has
    none taken away: `z`, `mean`, `log_var` (B, D), `permutations` (B, D) -> ().

    A minibatch of M narrow posteriors looks dependent whatever it is: each sample meets its own posterior only, and the
    estimate goes to (D - 1) ln M with even weights, (D - 1) ln N with stratified and (D - 1) ln(N M) with the published
    ones (622 nats for 76 dimensions, 1000 subjects and a batch of 4). `permutations` holds in each column an order of
    the subjects (`random_orders`); shuffling every dimension by its own keeps all marginals and removes all dependence
    (the trick of arXiv:1802.05983). Its estimate has the same bias, so the difference has expectation 0 for a
    factorised code, at any dimension and batch size; single values may be below 0. `dataset_size` N is the number of
    training subjects. `log_weights` is one of the two above.

    Where posteriors are so narrow, or dimensions so many, that no sample is likely under another's posterior, both
    estimates are at their ceiling and the difference, with its gradient, is 0: it sees dependence only between
    dimensions of a few nats each in all.
    """
    weights = log_weights(z.shape[0], dataset_size).to(z.device)
    found = raw_total_correlation(pairwise_log_density(z, mean, log_var), weights)
    z, mean, log_var = (torch.gather(value.float(), 0, permutations) for value in (z, mean, log_var))
    return found - raw_total_correlation(pairwise_log_density(z, mean, log_var), weights)


def random_orders(batch: int, size: int, device: torch.device | None = None) -> Tensor:
    """An order of the subjects for each dimension: (B, D), every column a permutation of 0 ... B - 1."""
    return torch.rand(batch, size, device=device).argsort(dim=0)
