"""Codes along the direction of one head."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

# In standard deviations of a feature: rounding of float32, not a head that does something else.
TOLERANCE = 1e-2


def require_inverse(heads: nn.Module) -> None:
    """Raise ValueError for heads that cannot say which code gives a prediction."""
    if not hasattr(heads, "inverse"):
        raise ValueError(
            f"traversing: expected heads with an `inverse`, as StructuredHeads has, found {type(heads).__name__}; a "
            "head with a hidden layer has no one direction, so train with the structured heads to traverse"
        )


@torch.no_grad()
def codes_along(heads: nn.Module, mean: Tensor, values: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
    """Move `mean` (L,) by as little as makes the heads of `values` say them, (S,) each, and the others what they said.

    Returns codes (S, L) and the predictions asked for (S, F). The change is inverse(asked) - inverse(predicted), of
    least norm because `inverse` gives codes of least norm and is affine; what no head reads stays. Raises ValueError
    where the heads do not say what was asked for.
    """
    require_inverse(heads)
    predicted = heads(mean[None])
    asked = predicted.repeat(len(next(iter(values.values()))), 1)
    for position, wanted in values.items():
        asked[:, position] = wanted.to(asked)
    codes = mean + heads.inverse(asked) - heads.inverse(predicted)  # type: ignore[operator]
    missed = float((heads(codes) - asked).abs().max())
    if not missed <= TOLERANCE:
        raise ValueError(
            f"traversing: a head of {type(heads).__name__} misses what it was to say by {missed:.3g} standard "
            "deviations; its `inverse` does not belong to it"
        )
    return codes, asked
