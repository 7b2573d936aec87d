"""Masked regression of the semantic features."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def masked_gaussian_nll(prediction: Tensor, target: Tensor, present: Tensor, *, sigma: float | Tensor) -> Tensor:
    r"""Negative Gaussian log-likelihood of the present features in nats, averaged over the labelled subjects.

    $\sum_f m_f [(y_f - \hat y_f)^2 / (2 \sigma^2) + \ln(\sigma\sqrt{2\pi})]$ with `prediction`, `target`, `present`
    (B, F) -> (). `sigma` is the noise of a feature in normalised units (its standard deviation is 1): a number where it
    is stated, () where it is learned. A feature that is absent or unlabelled (present 0) adds nothing, whatever its
    target holds. 0 when nothing is labelled.
    """
    present = present.float()
    # `where`, not a product: a sentinel or NaN target must not reach the gradient.
    error = (prediction.float() - target.float()).where(present > 0, 0.0)
    nats = error.square() / (2 * sigma**2) + torch.log(torch.as_tensor(sigma * math.sqrt(2 * math.pi))) * present
    labelled = (present.sum(dim=1) > 0).sum().clamp(min=1)
    return nats.sum() / labelled
