"""The partitioned, semi-supervised variational autoencoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.networks.partition import check_partition

MAX_LOG_VAR = 6.0
"""Far above the prior's 0: only a diverging run gets here, and it must not overflow the exponential."""


class SemiVAE(nn.Module):
    """Encoder, Gaussian posterior, semantic heads and decoder (arXiv:1312.6114) put together.

    `encoder`: (B, C, D, H, W) -> features (B, encoder.feature_size), coarse tumour logits (see ResNetEncoder).
    `heads`: (B, L) -> (B, F) features in normalised units, read from the *mean*, because that is what a growth model
    is given. `decoder`: (B, L) -> image, tumour logits. `min_log_var` bounds the posterior's log-variance from
    below, so that no dimension can buy unlimited precision. `dropout` acts on the encoder's features.
    """

    def __init__(
        self,
        encoder: nn.Module,
        heads: nn.Module,
        decoder: nn.Module,
        partition: Mapping[str, int],
        latent_size: int,
        min_log_var: float,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_partition(partition, latent_size)
        self.min_log_var = float(min_log_var)
        self.max_log_var = MAX_LOG_VAR  # TorchScript sees attributes, not module constants
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.to_mean = nn.Linear(int(encoder.feature_size), latent_size)  # type: ignore[arg-type]
        self.to_log_var = nn.Linear(int(encoder.feature_size), latent_size)  # type: ignore[arg-type]
        # A fresh posterior of unit noise would drown the code: the decoder learns to ignore it before the encoder has
        # anything to say. Start at sigma = e^{-1.5} and let the KL widen it.
        nn.init.constant_(self.to_log_var.bias, -3.0)
        self.heads = heads
        self.decoder = decoder

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, D, H, W) -> posterior mean (B, L), log-variance (B, L) >= min_log_var, coarse tumour logits."""
        features, coarse_logits = self.encoder(image)
        features = self.dropout(features)
        log_var = self.to_log_var(features).clamp(self.min_log_var, self.max_log_var)
        return self.to_mean(features), log_var, coarse_logits

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(B, C, D, H, W) -> mean, log_var, latent (B, L); features (B, F); reconstruction (B, C, ...); tumour_logits
        (B, 4, ...), decoded from the latent; coarse_logits (B, 4, .../2), seen by the encoder.

        The latent is sampled in training mode and equals the mean in evaluation mode, so evaluation is repeatable.
        """
        mean, log_var, coarse_logits = self.encode(image)
        latent = mean
        if self.training:
            latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var)
        reconstruction, tumour_logits = self.decoder(latent)
        return {
            "mean": mean,
            "log_var": log_var,
            "latent": latent,
            "features": self.heads(mean),
            "reconstruction": reconstruction,
            "tumour_logits": tumour_logits,
            "coarse_logits": coarse_logits,
        }
