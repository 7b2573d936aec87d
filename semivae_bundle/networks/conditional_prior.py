"""The prior of each latent partition given the partitions before it, learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from semivae_bundle.networks.blocks import Float32Linear, softly_bounded
from semivae_bundle.networks.partition import partition_slices


class PartitionPrior(nn.Module):
    """Mean and log-variance of one partition from the latents before it: (B, before) -> twice (B, out).

    Affine in the latents and in one hidden layer of them. Starts at the standard normal, exactly.
    """

    def __init__(self, before: int, hidden_size: int, out: int, bound: float) -> None:
        super().__init__()
        self.bound = bound
        self.hidden = Float32Linear(before, hidden_size)
        self.mean = Float32Linear(before + hidden_size, out)
        self.log_var = Float32Linear(before + hidden_size, out)
        for last in (self.mean, self.log_var):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, before: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, before) -> mean, log-variance (B, out), float32, each within the bound."""
        joined = torch.cat([before, silu(self.hidden(before))], dim=1)
        return softly_bounded(self.mean(joined), self.bound), softly_bounded(self.log_var(joined), self.bound)


class ConditionalPrior(nn.Module):
    r"""$p(z) = p(z_1) \prod_p p(z_p | z_{<p})$, the first partition standard normal, each other one a diagonal Gaussian
    whose mean and log-variance the latents before it give (Ladder VAE, arXiv:1602.02282; NVAE, arXiv:2007.03898).

    `bound` holds means and log-variances within (-bound, bound): a posterior that is stated relative to this prior goes
    where it goes at no cost, so nothing else would hold the scale of the later partitions.
    """

    def __init__(self, partition: Mapping[str, int], hidden_size: int, bound: float) -> None:
        super().__init__()
        if hidden_size < 1 or not 0 < bound < float("inf"):
            raise ValueError(f"prior: expected hidden_size >= 1 and a finite bound > 0, found {hidden_size=}, {bound=}")
        first, *later = partition_slices(partition).values()
        self.first = first.stop
        self.starts = [part.start for part in later]
        self.parts = nn.ModuleList(
            PartitionPrior(part.start, hidden_size, part.stop - part.start, bound) for part in later
        )

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, L) -> mean and log-variance (B, L) of each partition given the earlier ones among them."""
        means = [latent.new_zeros(latent.shape[0], self.first)]
        log_vars = [latent.new_zeros(latent.shape[0], self.first)]
        for i, part in enumerate(self.parts):
            mean, log_var = part(latent[:, : self.starts[i]])
            means.append(mean)
            log_vars.append(log_var)
        return torch.cat(means, dim=1), torch.cat(log_vars, dim=1)

    @torch.jit.export
    def noise_of(self, latent: Tensor) -> Tensor:
        """What `top_down` would have to be given to arrive at these latents: (B, L) -> (B, L)."""
        mean, log_var = self.forward(latent)
        return (latent - mean) * torch.exp(-0.5 * log_var)

    @torch.jit.export
    def top_down(self, noise: Tensor, values: Tensor, is_set: Tensor) -> Tensor:
        """Latents from the first partition to the last: dimensions where `is_set` (L,) bool have `values` (B, L), every
        other is its prior's mean plus `noise` (B, L) times its spread, given what came before: (B, L).

        Noise of a standard normal samples, 0 takes the prior's means, and `noise_of` a scan's own latents asks what
        they would be had the set ones been other (abduction, action, prediction: arXiv:2006.06485). A set value changes
        what comes after it and never what comes before.
        """
        latent = values
        for _ in range(1 + len(self.starts)):  # each pass completes one partition more
            mean, log_var = self.forward(latent)
            latent = torch.where(is_set, values, mean + noise * torch.exp(0.5 * log_var))
        return latent
