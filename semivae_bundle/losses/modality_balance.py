"""The reconstruction with a noise scale of its own for every modality."""

from __future__ import annotations

from torch import Tensor

from semivae_bundle.losses.reconstruction import optimal_sigma_nll


def channel_mse(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared error of each channel: (B, C, ...), (B, C, ...), (B, 1, ...) -> (C,), float32.

    Their mean is `weighted_mse`.
    """
    squared = (prediction.float() - target.float()).square() * weights
    return squared.transpose(0, 1).flatten(1).sum(dim=1) / weights.sum().clamp(min=1e-8)


def balanced_nll(prediction: Tensor, target: Tensor, weights: Tensor, *, observations: float) -> Tensor:
    r"""Negative Gaussian log-likelihood per subject in nats, each channel at its own optimal noise scale: -> ().

    $\sum_c \frac{n}{2C} (\ln(2 \pi\, \mathrm{mse}_c) + 1)$: sigma-VAE (arXiv:2006.13202, eq. 8) with a sigma for each
    of the C channels, between which the n `observations` of a scan are divided. By Jensen's inequality at most
    `pooled_nll`, and equal to it where all channels err alike.

    The gradient of a channel is $\frac{n}{2C} \nabla \mathrm{mse}_c / \mathrm{mse}_c$: an error costs by its ratio to
    the channel's own, so neither a channel that is hard to draw nor one that is easy changes what the others are asked
    for. Under one sigma for all, the channel with the largest error sets the noise, and the others' drown in it.

    `prediction`, `target` (B, C, D, H, W), `weights` (B, 1, D, H, W).
    """
    share = observations / prediction.shape[1]
    return optimal_sigma_nll(channel_mse(prediction, target, weights), observations=share).sum()
