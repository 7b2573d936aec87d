"""Codes along the direction of one head: the nearest code that it asks for, and the most usual one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from semivae_bundle.evaluation.bootstrap import FloatArray

Change = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A code (L,), its predictions and those asked for, (S, F) each -> by how much the code has to change (S, L)."""

# In standard deviations of a feature: rounding of float32, not a head that does something else.
TOLERANCE = 1e-2
# A regression on F predictions from fewer scans than this per prediction says more of chance than of the cohort.
SCANS_PER_HEAD = 3


def require_inverse(heads: nn.Module) -> None:
    """Raise ValueError for heads that cannot say which code gives a prediction."""
    if not hasattr(heads, "inverse"):
        raise ValueError(
            f"traversing: expected heads with an `inverse`, as StructuredHeads has, found {type(heads).__name__}; a "
            "head with a hidden layer has no one direction, so train with structured, grouped or invertible heads"
        )


def nearest_change(heads: nn.Module) -> Change:
    """The change of least norm. `inverse` is affine and its codes have the least norm, and so has a difference.

    Heads that can keep the rest of a code do: where read-outs bend, no difference of codes is right for every code.
    """
    require_inverse(heads)
    if keeps_the_rest(heads):
        return lambda mean, predicted, asked: heads.with_features(mean.expand(len(asked), -1), asked) - mean  # type: ignore[operator]
    inverse: Callable[[Tensor], Tensor] = heads.inverse  # type: ignore[assignment]
    return lambda mean, predicted, asked: inverse(asked) - inverse(predicted)


def keeps_the_rest(heads: nn.Module) -> bool:
    """Whether heads can change a code's predictions and keep all else of it, as InvertibleHeads can."""
    return hasattr(heads, "with_features")


def no_usual_change(heads: nn.Module, predicted: FloatArray) -> str | None:
    """Why there is no `usual_change` for these heads and predictions (n, F), if there is none."""
    if keeps_the_rest(heads):
        return f"{type(heads).__name__} are not affine, and a regression of codes on predictions is"
    return too_few_scans(predicted)


def too_few_scans(predicted: FloatArray) -> str | None:
    """Why predictions (n, F) are too few for `usual_change`, if they are."""
    scans, heads = predicted.shape
    fewest = SCANS_PER_HEAD * heads
    return None if scans >= fewest else f"{scans} encoded scans; at least {fewest} are needed for {heads} heads"


def usual_change(codes: FloatArray, predicted: FloatArray) -> Change:
    """The change that goes with such predictions in a cohort: the linear regression of `codes` (n, L) on `predicted`
    (n, F), of the same scans.

    For affine heads it does what is asked exactly, and of all changes that do it is the most usual: the one of least
    Mahalanobis norm. The nearest one may not occur in any scan. Where two dimensions of a head's own are all but
    mirrored copies, their sum hardly varies, the decoder never had to heed it, and the nearest change is along it.
    (Filters and patterns of linear models: doi:10.1016/j.neuroimage.2013.10.067.)
    """
    if reason := too_few_scans(predicted):
        raise ValueError(f"usual direction: {reason}")
    solution = np.linalg.lstsq(predicted - predicted.mean(axis=0), codes - codes.mean(axis=0), rcond=None)[0]
    pattern = torch.from_numpy(solution)
    return lambda mean, predicted, asked: ((asked - predicted).cpu().double() @ pattern).to(predicted)


@torch.no_grad()
def codes_along(heads: nn.Module, change: Change, mean: Tensor, values: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
    """Move `mean` (L,) so that the heads of `values` say them, (S,) each, and the others what they said.

    Returns codes (S, L) and the predictions asked for (S, F). Raises ValueError where the heads do not say them.
    """
    predicted = heads(mean[None])
    asked = predicted.repeat(len(next(iter(values.values()))), 1)
    for position, wanted in values.items():
        asked[:, position] = wanted.to(asked)
    codes = mean + change(mean, predicted.expand_as(asked), asked)
    missed = float((heads(codes) - asked).abs().max())
    if not missed <= TOLERANCE:
        raise ValueError(
            f"traversing: a head of {type(heads).__name__} misses what it was to say by {missed:.3g} standard "
            "deviations; the change of the code does not belong to it"
        )
    return codes, asked
