"""Gaussian reconstruction likelihood with the optimal noise scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def voxel_weights(brain: Tensor, tumour: Tensor, *, outside: float, tumour_weight: float) -> Tensor:
    """Weight of each voxel: `outside` beyond the brain, 1 in it, `tumour_weight` in the tumour.

    `brain` (B, 1, D, H, W) in {0, 1}; `tumour` (B, 1, D, H, W), the fraction of the voxel that is tumour, 0 for an
    unlabelled subject. Returns (B, 1, D, H, W).
    """
    return outside + (1 - outside) * brain + (tumour_weight - 1) * tumour


def weighted_mse(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared error over everything: (B, C, ...), (B, C, ...), (B, 1, ...) -> ()."""
    squared = (prediction.float() - target.float()).square() * weights
    return squared.sum() / (weights.sum() * prediction.shape[1]).clamp(min=1e-8)


def optimal_sigma_nll(mse: Tensor, *, observations: float) -> Tensor:
    r"""Negative Gaussian log-likelihood per subject in nats, at the noise scale that maximises it.

    $\frac n2 (\ln(2 \pi\, \mathrm{mse}) + 1)$, since $\sigma^{*2} = \mathrm{mse}$ (sigma-VAE, arXiv:2006.13202, eq. 8).
    `observations` n is the effective number of independent observations in one scan. Neighbouring voxels repeat each
    other, so n is far below the voxel count, and, being stated, it makes the trade-off against the KL independent of
    the grid. `mse` () -> (). Not bounded below: the floor of 1e-6 is far under the noise of any scan.
    """
    return 0.5 * observations * (torch.log(2 * math.pi * mse.clamp(min=1e-6)) + 1)


def pooled_nll(prediction: Tensor, target: Tensor, weights: Tensor, *, observations: float) -> Tensor:
    """`optimal_sigma_nll` of `weighted_mse`, one noise scale for all: (B, C, ...) twice, (B, 1, ...) -> ()."""
    return optimal_sigma_nll(weighted_mse(prediction, target, weights), observations=observations)


def fixed_sigma_nll(mse: Tensor, *, observations: float, sigma: float) -> Tensor:
    r"""Negative Gaussian log-likelihood per subject in nats at a stated noise scale.

    $\frac n2 (\mathrm{mse} / \sigma^2 + \ln(2 \pi \sigma^2))$ with `mse` () -> (). A squared error averaged over
    voxels is, up to $\ln 2\pi$, the case of unit noise and n = 2: a whole scan counted as two observations.
    """
    return 0.5 * observations * (mse / sigma**2 + math.log(2 * math.pi * sigma**2))
