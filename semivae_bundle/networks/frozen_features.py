"""Features of a network that somebody else trained, beside those of the encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import Float32Linear


class Apart:
    """Holds a module that its owner uses but does not own: none of its parameters, state or modes; copies share it."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __deepcopy__(self, memo: dict[int, Any]) -> Apart:
        return self


class FrozenFeatures(nn.Module):
    """A readout of ResNetEncoder: frozen features, normalised (arXiv:1607.06450) and projected linearly to `size`.

    `extractor`: a module with an int `size`, (B, C, D, H, W) -> (B, extractor.size), such as SliceFeatures or
    PooledFeatures. It is always in evaluation mode and without gradient, and it is no part of the network's
    parameters and state: optimiser, running averages and processes leave it alone, and a checkpoint holds the norm,
    the projection and `fingerprint` (32 bytes), by which it refuses to be used with another extractor.
    """

    fingerprint: Tensor

    def __init__(self, extractor: nn.Module, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"frozen features: expected a size of at least 1, found {size}")
        self.size = size
        self.extractor_size = int(extractor.size)  # type: ignore[arg-type]
        self.extractor = Apart(extractor.requires_grad_(False).eval())
        self.norm = nn.LayerNorm(self.extractor_size)
        self.project = Float32Linear(self.extractor_size, size)
        self.register_buffer("fingerprint", fingerprint(extractor))

    def forward(self, image: Tensor, maps: list[Tensor], logits: Tensor) -> Tensor:
        """`image` (B, C, D, H, W) -> (B, size), float32; `maps` and `logits` of the encoder are not looked at."""
        with torch.no_grad():
            features = self.extractor.module(image).float()
        if features.shape != (image.shape[0], self.extractor_size):
            raise ValueError(
                f"frozen features: expected ({image.shape[0]}, {self.extractor_size}) from the extractor, as its "
                f"`size` says, found {tuple(features.shape)}; correct the width that the configuration states"
            )
        projected: Tensor = self.project(self.norm(features))
        return projected

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenFeatures:
        # Where the network goes, the extractor has to go too; not into its layout, which is one of 5-D weights.
        super()._apply(fn, recurse)
        self.extractor.module.to(self.fingerprint.device, self.norm.weight.dtype)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        stored = state_dict.get(f"{prefix}fingerprint")
        if stored is not None and not torch.equal(stored.cpu(), self.fingerprint.cpu()):
            errors: list[str] = args[-1]
            errors.append(
                f"{prefix}fingerprint: the checkpoint was trained with an extractor of other weights: expected "
                f"{_hex(stored)}..., found {_hex(self.fingerprint)}...; give the weights it was trained with"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


def fingerprint(module: nn.Module) -> Tensor:
    """SHA-256 of the tensors of `module`: (32,), uint8.

    Without their names and order, which the library that defines an architecture may change between releases.
    """
    digests = sorted(_digest(value.detach().cpu().contiguous()) for value in module.state_dict().values())
    return torch.tensor(list(hashlib.sha256(b"".join(digests)).digest()), dtype=torch.uint8)


def _digest(value: Tensor) -> bytes:
    head = f"{value.dtype} {tuple(value.shape)} ".encode()
    return hashlib.sha256(head + value.reshape(-1).view(torch.uint8).numpy().tobytes()).digest()


def _hex(digest: Tensor) -> str:
    return bytes(digest[:6].tolist()).hex()
