"""Dice and cross-entropy of the decoded tumour map, over labelled subjects."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax


def soft_cross_entropy(logits: Tensor, fractions: Tensor, brain: Tensor) -> Tensor:
    r"""Cross-entropy in nats per brain voxel: $-\sum_{v,c} p_{vc} \ln \hat p_{vc} / N_{brain}$.

    `logits`, `fractions` (B, C, D, H, W); `fractions` sums to 1 over C: partial volumes are kept, not rounded. `brain`
    (B, 1, D, H, W) in [0, 1]. The sum runs over all voxels, so tumour outside the brain costs too, but the easy
    background does not dilute the mean: how much of the cube is brain must not set the weight of the tumour.
    """
    return -(fractions * log_softmax(logits.float(), dim=1)).sum() / brain.sum().clamp(min=1)


def soft_dice_loss(probabilities: Tensor, fractions: Tensor) -> Tensor:
    """1 - soft Dice averaged over the foreground classes that occur in the batch (arXiv:1606.04797): (B, C, ...) -> ().

    Class 0 is background. Summed over the batch before dividing, so a subject without a region makes no 0/0. In [0, 1].
    """
    dims = (0, *range(2, probabilities.dim()))
    p, t = probabilities.float(), fractions.float()
    # Squares in the denominator: 1 is then reached by equal partial volumes too.
    overlap, size = 2 * (p * t).sum(dims), (p.square() + t.square()).sum(dims)
    occurs = (t.sum(dims) > 0).float()
    occurs[0] = 0
    dice = (overlap + 1e-5) / (size + 1e-5)
    return ((1 - dice) * occurs).sum() / occurs.sum().clamp(min=1)


def tumour_map_loss(logits: Tensor, regions: Tensor, brain: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy (nats per brain voxel) and Dice loss of the labelled subjects; zeros where there are none.

    `logits` (B, 4, D, H, W) for background, NCR, ED, ET; `regions` (B, 3, D, H, W) the fraction of each voxel that is
    NCR, ED, ET; `brain` (B, 1, D, H, W); `labelled` (B,) bool.
    """
    if not bool(labelled.any()):
        zero = logits.sum() * 0.0
        return zero, zero
    logits, regions = logits[labelled], regions[labelled].float()
    fractions = torch.cat([1 - regions.sum(dim=1, keepdim=True), regions], dim=1)
    return soft_cross_entropy(logits, fractions, brain[labelled]), soft_dice_loss(
        logits.float().softmax(dim=1), fractions
    )
