"""Kullback-Leibler divergence of the posterior from the prior, per dimension and with free bits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    r"""KL(q || N(0, I)) of each dimension in nats, averaged over the batch.

    $(e^{s_d} + \mu_d^2 - 1 - s_d) / 2$ with `mean`, `log_var` (B, D) -> (D,), >= 0. arXiv:1312.6114, appendix B.
    Sum over D for the KL of the whole code.
    """
    return 0.5 * (log_var.exp() + mean.square() - 1 - log_var).mean(dim=0)


def in_units_of_prior(output: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    r"""Mean $(\mu_q - \mu_p) e^{-s_p / 2}$ and log-variance $s_q - s_p$ of a network's `output`, (B, L) each.

    0 where the scan adds nothing to the prior, and KL(q || p) of two diagonal Gaussians is their KL from N(0, I). The
    posterior itself where the output has no `prior_mean`, `prior_log_var`, so where the prior is N(0, I).
    """
    mean, log_var = output["mean"], output["log_var"]
    if "prior_mean" not in output:
        return mean, log_var
    return (mean - output["prior_mean"]) * torch.exp(-0.5 * output["prior_log_var"]), log_var - output["prior_log_var"]


def with_free_bits(kl_per_dimension: Tensor, floor: float) -> Tensor:
    """Sum over dimensions of max(KL_d, floor), in nats: (D,) -> (). arXiv:1606.04934, C.8.

    Average over the batch first (`gaussian_kl` does): the floor is on a dimension's use, not on each subject. Below
    the floor the gradient is zero, so a dimension may carry up to `floor` nats for nothing.
    """
    return kl_per_dimension.clamp(min=floor).sum()
