"""Dice and cross-entropy of a tumour map, over labelled subjects."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import log_softmax


def soft_cross_entropy(log_p: Tensor, regions: Tensor, brain: Tensor) -> Tensor:
    r"""Cross-entropy in nats per brain voxel: $-\sum_{v,c} p_{vc} \ln \hat p_{vc} / N_{brain}$.

    `log_p` (B, 1 + R, D, H, W) log-probabilities of background and R regions; `regions` (B, R, D, H, W) the fraction
    of each voxel that is each region, the rest of it being background: partial volumes are kept, not rounded. `brain`
    (B, 1, D, H, W) in [0, 1]. The sum runs over all voxels, so tumour outside the brain costs too, but the easy
    background does not dilute the mean: how much of the cube is brain must not set the weight of the tumour.
    """
    background = log_p[:, :1]
    return -(background.sum() + (regions * (log_p[:, 1:] - background)).sum()) / brain.sum().clamp(min=1)


def soft_dice_loss(probabilities: Tensor, regions: Tensor) -> Tensor:
    """1 - soft Dice averaged over the regions that occur in the batch (arXiv:1606.04797): (B, R, ...) twice -> ().

    Summed over the batch before dividing, so a subject without a region makes no 0/0. In [0, 1].
    """
    dims = (0, *range(2, probabilities.dim()))
    # Squares in the denominator: 1 is then reached by equal partial volumes too.
    overlap = 2 * (probabilities * regions).sum(dims)
    size = probabilities.square().sum(dims) + regions.square().sum(dims)
    occurs = (regions.sum(dims) > 0).float()
    dice = (overlap + 1e-5) / (size + 1e-5)
    return ((1 - dice) * occurs).sum() / occurs.sum().clamp(min=1)


def of_labelled(labelled: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The rows of each (B, ...) that `labelled` (B,) bool says; the tensors themselves where that is everybody."""
    # One question, who is labelled: each would make a GPU wait.
    rows = labelled.nonzero().squeeze(1)
    return list(tensors) if len(rows) == len(labelled) else [tensor[rows] for tensor in tensors]


def tumour_map_loss(logits: Tensor, regions: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy (nats per brain voxel) and Dice loss of labelled subjects; zeros where there are none.

    `logits` (B, 4, D, H, W) for background, NCR, ED, ET; `regions` (B, 3, D, H, W) the fraction of each voxel that is
    NCR, ED, ET; `brain` (B, 1, D, H, W).
    """
    if not len(logits):
        zero = logits.sum() * 0.0
        return zero, zero
    log_p, regions = log_softmax(logits.float(), dim=1), regions.float()
    return soft_cross_entropy(log_p, regions, brain), soft_dice_loss(log_p[:, 1:].exp(), regions)
