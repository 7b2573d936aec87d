"""Linear dependence between latent partitions: covariance penalties."""

from __future__ import annotations

from torch import Tensor


def squared_cross_covariance(x: Tensor, y: Tensor) -> Tensor:
    r"""$\sum_{ij} \mathrm{Cov}(x_i, y_j)^2$ of two blocks, (n, D) and (n, E) -> (). The off-diagonal part of DIP-VAE
    (arXiv:1711.00848, eq. 6) between two partitions.

    >= 0; 0 for fewer than two subjects. Independent dimensions of variance 1 give about D E / (n - 1), not 0: the
    covariance of few subjects is noise. It falls with the scale of the blocks too, unlike a correlation.
    """
    n = x.shape[0]
    if n < 2:
        return (x.sum() + y.sum()) * 0.0
    x, y = x.float(), y.float()
    return ((x - x.mean(dim=0)).T @ (y - y.mean(dim=0)) / (n - 1)).square().sum()


def unit_variance_penalty(means: Tensor) -> Tensor:
    r"""$\sum_i (C_{ii} - 1)^2$ with C the covariance of the means: the diagonal part of DIP-VAE-I (arXiv:1711.00848,
    eq. 6), (n, L) -> (). >= 0; 0 for fewer than two subjects.
    """
    if means.shape[0] < 2:
        return means.sum() * 0.0
    return (means.float().var(dim=0) - 1).square().sum()


def unit_aggregate_variance_penalty(means: Tensor, log_var: Tensor) -> Tensor:
    r"""$\sum_i (C_{ii} + E[e^{s_i}] - 1)^2$: the diagonal part of DIP-VAE-II (arXiv:1711.00848, eq. 7), which asks unit
    variance of the whole code, posterior noise included. `means` (n, L), `log_var` (m, L) -> ().

    The posterior is diagonal, so I and II have the same blocks between partitions. >= 0; 0 for n < 2.
    """
    if means.shape[0] < 2:
        return means.sum() * 0.0
    return (means.float().var(dim=0) + log_var.float().exp().mean(dim=0) - 1).square().sum()
