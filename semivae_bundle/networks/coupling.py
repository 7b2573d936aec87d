"""An explicit bijection of a few dimensions, by affine coupling layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from semivae_bundle.networks.blocks import Float32Linear, softly_bounded


class AffineCoupling(nn.Module):
    r"""$y = b x + (1 - b) (x e^{s(b x)} + t(b x))$ (RealNVP, arXiv:1605.08803, eq. 9): (B, P) -> (B, P), float32.

    `kept` is b: 1 for dimensions that pass and are read by s and t, 0 for those that are scaled and shifted. What is
    read is the same in y as in x, so the inverse is as explicit as the map. |s| < `max_log_scale`, softly, so that
    neither direction can blow up. A fresh layer is the identity.
    """

    if TYPE_CHECKING:  # TorchScript would want to make sense of it
        kept: Tensor

    def __init__(self, kept: Tensor, hidden_size: int, max_log_scale: float) -> None:
        super().__init__()
        size = kept.numel()
        self.register_buffer("kept", kept.float(), persistent=False)
        self.max_log_scale = float(max_log_scale)
        self.hidden = Float32Linear(size, hidden_size)
        self.out = Float32Linear(hidden_size, 2 * size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def log_scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The s and t of the formula (B, P), 0 where dimensions pass; the same for x and for its image."""
        raw, shift = self.out(silu(self.hidden(x * self.kept))).chunk(2, dim=1)
        changed = 1 - self.kept
        return changed * softly_bounded(raw, self.max_log_scale), changed * shift

    def forward(self, x: Tensor) -> Tensor:
        """(B, P) -> (B, P)."""
        log_scale, shift = self.log_scale_and_shift(x)
        return x * log_scale.exp() + shift

    @torch.jit.export
    def inverse(self, y: Tensor) -> Tensor:
        """(B, P) -> (B, P)."""
        log_scale, shift = self.log_scale_and_shift(y)
        return (y - shift) * (-log_scale).exp()


class CouplingFlow(nn.Module):
    """`layers` couplings one after the other, which let every second dimension pass, in turn the even and the odd:
    (B, P) -> (B, P). From three layers on every output can depend on every input. A fresh flow is the identity.
    """

    def __init__(self, size: int, layers: int, hidden_size: int, max_log_scale: float) -> None:
        super().__init__()
        if min(size, layers, hidden_size) < 1 or not max_log_scale > 0:
            raise ValueError(
                "coupling: expected size, layers and hidden_size >= 1 and max_log_scale > 0, found "
                f"{size=}, {layers=}, {hidden_size=}, {max_log_scale=}"
            )
        odd = torch.arange(size) % 2
        self.layers = nn.ModuleList(
            AffineCoupling(odd if layer % 2 == 0 else 1 - odd, hidden_size, max_log_scale) for layer in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, P) -> (B, P), float32."""
        x = x.float()
        for layer in self.layers:
            x = layer(x)
        return x

    @torch.jit.export
    def inverse(self, y: Tensor) -> Tensor:
        """(B, P) -> (B, P), float32."""
        y = y.float()
        for layer in self.layers[::-1]:
            y = layer.inverse(y)  # type: ignore[operator]
        return y
