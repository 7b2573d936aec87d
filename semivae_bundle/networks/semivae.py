"""The partitioned, semi-supervised variational autoencoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import Float32Linear
from semivae_bundle.networks.partition import check_partition, partition_slices

MAX_LOG_VAR = 6.0
"""Far above the prior's 0: only a diverging run gets here, and it must not overflow the exponential."""

RESIDUAL_START = 2.0
"""Gain of the residual's first random projections of the features; gives them a variance near the prior's."""


class SemiVAE(nn.Module):
    """Encoder, Gaussian posterior, semantic heads and decoder (arXiv:1312.6114) put together.

    `encoder`: (B, C, D, H, W) -> features (B, encoder.feature_size), tumour logits (see ResNetEncoder).
    `heads`: (B, L) -> (B, F) features in normalised units, read from the *mean*, because that is what a growth model
    is given. `decoder`: (B, L) -> image, tumour logits. `decorrelation`: raw means (B, L) -> the part of them that
    earlier partitions explain, which is taken away. `min_log_var` bounds the posterior's log-variance from below, so
    that no dimension can buy unlimited precision. `dropout` acts on the encoder's features.

    `measured` names the partitions whose *mean* the decoder's gradient does not reach: they hold what the heads read
    and nothing that would merely help to draw. Their variance stays the decoder's business, which sharpens what it
    uses. An empty list lets the decoder shape everything.
    """

    if TYPE_CHECKING:  # TorchScript would want to make sense of it
        shaped_by_decoder: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        heads: nn.Module,
        decoder: nn.Module,
        partition: Mapping[str, int],
        latent_size: int,
        min_log_var: float,
        measured: Sequence[str],
        decorrelation: nn.Module,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_partition(partition, latent_size)
        unknown = [name for name in measured if name not in partition]
        if unknown:
            raise ValueError(f"measured: expected names among {list(partition)}, found {unknown}")
        shaped = torch.ones(latent_size)
        for name in measured:
            shaped[partition_slices(partition)[name]] = 0
        self.register_buffer("shaped_by_decoder", shaped, persistent=False)
        self.min_log_var = float(min_log_var)
        self.max_log_var = MAX_LOG_VAR  # TorchScript sees attributes, not module constants
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.to_mean = Float32Linear(int(encoder.feature_size), latent_size)  # type: ignore[arg-type]
        self.to_log_var = Float32Linear(int(encoder.feature_size), latent_size)  # type: ignore[arg-type]
        # A measured mean starts at the prior's and moves only where the heads ask: what random weights would put into
        # dimensions that nothing needs correlates with everything, and free bits would leave it there. The residual
        # starts as random projections: from zero, the decoder would see noise alone and learn to ignore it.
        nn.init.normal_(self.to_mean.weight, std=RESIDUAL_START * int(encoder.feature_size) ** -0.5)  # type: ignore[arg-type]
        with torch.no_grad():
            self.to_mean.weight.mul_(shaped[:, None])
        nn.init.zeros_(self.to_mean.bias)
        # A fresh posterior of unit noise would drown the code: the decoder learns to ignore it before the encoder has
        # anything to say. Start at sigma = e^{-1.5} and let the KL widen it.
        nn.init.constant_(self.to_log_var.bias, -3.0)
        self.decorrelation = decorrelation
        self.heads = heads
        self.decoder = decoder

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, C, D, H, W) -> posterior mean and log-variance >= min_log_var (B, L); tumour logits (B, 4, D, H, W); what
        was taken from the mean because earlier partitions explain it (B, L).
        """
        features, seen_logits = self.encoder(image)
        features = self.dropout(features)
        log_var = self.to_log_var(features).clamp(self.min_log_var, self.max_log_var)
        raw = self.to_mean(features)
        explained = self.decorrelation(raw)
        return raw - explained, log_var, seen_logits, explained

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(B, C, D, H, W) -> mean, log_var, latent, explained (B, L); features (B, F); reconstruction (B, C, ...);
        tumour_logits (B, 4, ...), decoded from the latent; seen_logits (B, 4, ...), seen by the encoder.

        The latent is sampled in training mode and equals the mean in evaluation mode, so evaluation is repeatable.
        """
        mean, log_var, seen_logits, explained = self.encode(image)
        latent = mean
        if self.training:
            # The values are those of the mean; only the gradient differs.
            drawn = mean.detach() + self.shaped_by_decoder * (mean - mean.detach())
            latent = drawn + torch.randn_like(mean) * torch.exp(0.5 * log_var)
        reconstruction, tumour_logits = self.decoder(latent)
        return {
            "mean": mean,
            "log_var": log_var,
            "latent": latent,
            "explained": explained,
            "features": self.heads(mean),
            "reconstruction": reconstruction,
            "tumour_logits": tumour_logits,
            "seen_logits": seen_logits,
        }
