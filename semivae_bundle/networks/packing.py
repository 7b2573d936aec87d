"""The network as inference clients take it: one tensor in, one tensor out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semivae_bundle.networks.semivae import SemiVAE


class PackedSemiVAE(SemiVAE):
    """SemiVAE whose forward returns a single float32 tensor, as the Model Zoo, MONAI Label and Deploy expect.

    A subclass rather than a wrapper, so that a trained state_dict fits key by key: MONAI Label loads without checking
    and would keep random weights under other names. The latent is the posterior mean in every mode.
    """

    def forward(self, image: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C, D, H, W) -> (B, K, D, H, W), laid out as `pack` says."""
        mean, log_var, seen_logits, _ = self.encode(image)
        reconstruction, tumour_logits = self.decoder(mean)
        return pack(seen_logits, tumour_logits, reconstruction, mean, log_var, self.heads(mean))


@dataclass(frozen=True)
class Unpacked:
    """One subject's outputs: seen_logits and tumour_logits (T, D, H, W), reconstruction (C, D, H, W), mean and log_var
    (L,), features (F,) in normalised units.
    """

    seen_logits: Tensor
    tumour_logits: Tensor
    reconstruction: Tensor
    mean: Tensor
    log_var: Tensor
    features: Tensor


def pack(
    seen_logits: Tensor, tumour_logits: Tensor, reconstruction: Tensor, mean: Tensor, log_var: Tensor, features: Tensor
) -> Tensor:
    """Lay everything in one tensor (B, 2 T + C + N, D, H, W), float32 whatever came in, so that no bit is lost.

    `seen_logits`, the encoder's segmentation, first, where a client looks for one, and `tumour_logits`, decoded from
    the code, (B, T, D, H, W); `reconstruction` (B, C, D, H, W), `mean` and `log_var` (B, L), `features` (B, F). The
    last N channels (one, unless the grid is tiny) hold, flattened: L, F, mean, log_var, features, zeros.
    """
    batch, voxels = mean.shape[0], reconstruction[0, 0].numel()
    sizes = torch.ones(batch, 2, dtype=torch.float32, device=mean.device)
    sizes[:, 0] *= mean.shape[1]
    sizes[:, 1] *= features.shape[1]
    code = torch.cat([sizes, mean.float(), log_var.float(), features.float()], dim=1)
    channels = (code.shape[1] + voxels - 1) // voxels
    code = torch.nn.functional.pad(code, [0, channels * voxels - code.shape[1]])
    depth, height, width = reconstruction.shape[2], reconstruction.shape[3], reconstruction.shape[4]
    code = code.reshape(batch, channels, depth, height, width)
    return torch.cat([seen_logits.float(), tumour_logits.float(), reconstruction.float(), code], dim=1)


def unpack(packed: Tensor, tumour_classes: int, image_channels: int) -> Unpacked:
    """Inverse of `pack` for one subject (K, D, H, W). The sizes of the latent and the features stand in the tensor.

    Raises ValueError for a tensor that does not hold what its own sizes say, such as another network's output.
    """
    volumes = 2 * tumour_classes + image_channels
    code = packed[volumes:].reshape(-1) if packed.ndim == 4 and packed.shape[0] > volumes else packed.new_zeros(0)
    latent, count = (float(size) for size in code[:2]) if code.numel() >= 2 else (0.0, 0.0)
    needed = 2 + 2 * latent + count
    # A NaN fails every comparison, so it is caught here too.
    if not (latent >= 1 and count >= 1 and needed <= code.numel() and latent.is_integer() and count.is_integer()):
        raise ValueError(
            f"network output: expected a packed tensor (K, D, H, W) of twice {tumour_classes} tumour channels, "
            f"{image_channels} image channels and the code, found shape {tuple(packed.shape)} with latent and feature "
            f"sizes ({latent:g}, {count:g}); use semivae_bundle.networks.packing.PackedSemiVAE as network_def"
        )
    size, end = int(latent), int(needed)
    return Unpacked(
        seen_logits=packed[:tumour_classes],
        tumour_logits=packed[tumour_classes : 2 * tumour_classes],
        reconstruction=packed[2 * tumour_classes : volumes],
        mean=code[2 : 2 + size],
        log_var=code[2 + size : 2 + 2 * size],
        features=code[2 + 2 * size : end],
    )
