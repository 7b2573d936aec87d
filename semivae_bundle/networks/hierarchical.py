"""SemiVAE whose partitions are conditioned on the ones before them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from semivae_bundle.networks.conditional_prior import ConditionalPrior
from semivae_bundle.networks.packing import PackedSemiVAE
from semivae_bundle.networks.semivae import SemiVAE


class HierarchicalSemiVAE(SemiVAE):
    r"""SemiVAE with a learned `prior` of each partition given the earlier ones, e.g. volume, location, shape, residual.

    What SemiVAE takes for the posterior is here what the scan adds to the prior: with $\mu_p, s_p$ the prior's mean and
    log-variance given $z_{<p}$, and $m_p, v_p$ those that the image gives, $q(z_p | x, z_{<p}) = N(\mu_p + m_p,
    e^{s_p + v_p})$. Residual as in NVAE (arXiv:2007.03898, 3.2), so that a prior that moves takes the posterior along
    and the KL stays small; m, v from the image alone as in the Ladder VAE (arXiv:1602.02282), so that a posterior sees
    the earlier latents through the prior, and a fresh network is SemiVAE exactly.

    The decorrelation stays with m: what the scan adds is uncorrelated with what it adds to earlier partitions, and a
    linear dependence between partitions has one place to be, the prior. The means themselves may then correlate.
    """

    def __init__(self, prior: ConditionalPrior, **components: Any) -> None:
        super().__init__(**components)
        self.prior = prior

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As SemiVAE's: every partition given the means of the earlier ones."""
        added, added_log_var, seen_logits, explained = self.bottom_up(image)
        code = self.descend(added, added_log_var, torch.zeros_like(added))
        return code["mean"], code["log_var"], seen_logits, explained

    def code(self, image: Tensor) -> dict[str, Tensor]:
        """SemiVAE's, and added, prior_mean, prior_log_var (B, L). In training every partition is given the samples of
        the earlier ones, in evaluation their means.
        """
        added, added_log_var, seen_logits, explained = self.bottom_up(image)
        noise = torch.randn_like(added) if self.training else torch.zeros_like(added)
        code = self.descend(added, added_log_var, noise)
        code["explained"], code["seen_logits"] = explained, seen_logits
        return code

    def descend(self, added: Tensor, added_log_var: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """What the scan adds to the prior's means and log-variances, and noise, (B, L) each -> mean, added,
        log_var, latent, prior_mean, prior_log_var (B, L).
        """
        latent = added
        mean, log_var, prior_mean, prior_log_var = added, added_log_var, added, added
        for _ in range(1 + len(self.prior.starts)):  # each pass completes one partition more
            prior_mean, prior_log_var = self.prior(latent)
            mean, log_var = prior_mean + added, prior_log_var + added_log_var
            latent = mean + noise * torch.exp(0.5 * log_var)
        return {
            "mean": mean,
            "added": added,
            "log_var": log_var,
            "latent": latent,
            "prior_mean": prior_mean,
            "prior_log_var": prior_log_var,
        }


class PackedHierarchicalSemiVAE(PackedSemiVAE, HierarchicalSemiVAE):
    """HierarchicalSemiVAE as inference clients take it, with the weights under the same names."""
