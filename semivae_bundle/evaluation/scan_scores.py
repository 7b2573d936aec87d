"""Figures of one scan that need no mask, by which a strange scan gives itself away."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semivae_bundle.evaluation.tumour_doubt import tumour_doubt
from semivae_bundle.losses.kl import gaussian_kl

SCORES = ("reconstruction_error", "kl", "brain_fraction", "tumour_doubt")


def scan_scores(
    image: Tensor, reconstruction: Tensor, mean: Tensor, log_var: Tensor, tumour_logits: Tensor
) -> dict[str, float]:
    """Scores of one scan: image and reconstruction (C, D, H, W), z-scored, 0 outside the brain; mean, log_var (L,);
    tumour_logits (T, D, H, W), as decoded.

    `reconstruction_error`: root mean square over brain and channels, in standard deviations of the brain. `kl`: from
    the prior, in nats. `brain_fraction`: share of the field of view that is brain, in [0, 1]. `tumour_doubt`: as the
    function of that name says.
    """
    image, reconstruction = image.detach().double(), reconstruction.detach().double()
    brain = (image != 0).any(dim=0)
    if not brain.any():
        raise ValueError("image: expected voxels that are not 0, found none; expected a skull-stripped brain")
    error = (image - reconstruction)[:, brain].square().mean().sqrt()
    kl = gaussian_kl(mean.detach().double()[None], log_var.detach().double()[None]).sum()
    scores = {"reconstruction_error": float(error), "kl": float(kl), "brain_fraction": float(brain.double().mean())}
    scores["tumour_doubt"] = tumour_doubt(tumour_logits, brain)
    if bad := [name for name, value in scores.items() if not math.isfinite(value)]:
        raise ValueError(
            f"scores of a scan: expected finite numbers, found NaN or infinity for {bad}; check the weights"
        )
    return scores


def scores_of_batch(image: Tensor, output: dict[str, Tensor]) -> list[dict[str, float]]:
    """`scan_scores` of each scan of a batch (B, ...) of SemiVAE's output."""
    with torch.no_grad():
        names = ("reconstruction", "mean", "log_var", "tumour_logits")
        return [scan_scores(*part) for part in zip(image, *(output[name] for name in names), strict=True)]
