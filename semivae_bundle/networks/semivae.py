"""The partitioned, semi-supervised variational autoencoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

OUTPUTS = (
    *("mean", "log_var", "latent", "explained", "features", "reconstruction", "tumour_logits", "seen_logits"),
    *("added", "prior_mean", "prior_log_var"),  # of HierarchicalSemiVAE
)


class SemiVAE(nn.Module):
    """Encoder, Gaussian posterior, semantic heads and decoder (arXiv:1312.6114) put together.

    `encoder`: (B, C, D, H, W) -> features by name, tumour logits (see ResNetEncoder). `posterior`: features -> mean and
    log-variance (B, L). `decorrelation`: raw means (B, L) -> the part of them that earlier partitions explain, which is
    taken away. `heads`: (B, L) -> (B, F) features in normalised units, read from the *mean*, because that is what a
    growth model is given. `decoder`: (B, L) -> image, tumour logits. `extra`: further outputs by name, each a module
    that reads the mean, (B, L) -> (B, n), such as FeatureNoise.
    """

    def __init__(
        self,
        encoder: nn.Module,
        posterior: nn.Module,
        decorrelation: nn.Module,
        heads: nn.Module,
        decoder: nn.Module,
        extra: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.extra = nn.ModuleDict(extra or {})
        taken = [name for name in self.extra if name in OUTPUTS]
        if taken:
            raise ValueError(f"semivae: extra outputs need names other than {list(OUTPUTS)}, found {taken}")
        self.encoder = encoder
        self.posterior = posterior
        self.decorrelation = decorrelation
        self.heads = heads
        self.decoder = decoder

    def bottom_up(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, C, D, H, W) -> posterior mean and log-variance (B, L); tumour logits (B, 4, D, H, W); what was taken from
        the mean because earlier partitions explain it (B, L).
        """
        features, seen_logits = self.encoder(image)
        raw, log_var = self.posterior(features)
        explained = self.decorrelation(raw)
        return raw - explained, log_var, seen_logits, explained

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The posterior itself; a subclass may make it of more than `bottom_up`, in the same order."""
        return self.bottom_up(image)

    def code(self, image: Tensor) -> dict[str, Tensor]:
        """(B, C, D, H, W) -> mean, log_var, latent, explained (B, L); seen_logits (B, 4, ...)."""
        mean, log_var, seen_logits, explained = self.encode(image)
        latent = mean
        if self.training:
            latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var)
        return {"mean": mean, "log_var": log_var, "latent": latent, "explained": explained, "seen_logits": seen_logits}

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(B, C, D, H, W) -> mean, log_var, latent, explained (B, L); features (B, F); reconstruction (B, C, ...);
        tumour_logits (B, 4, ...), decoded from the latent; seen_logits (B, 4, ...), seen by the encoder; and the
        outputs of `extra`.

        The latent is sampled in training mode and equals the mean in evaluation mode, so evaluation is repeatable.
        """
        output = self.code(image)
        output["features"] = self.heads(output["mean"])
        output["reconstruction"], output["tumour_logits"] = self.decoder(output["latent"])
        for name, read in self.extra.items():
            output[name] = read(output["mean"])
        return output
