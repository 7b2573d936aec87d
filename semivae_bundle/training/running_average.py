"""How fast a running average of the weights follows them."""

from __future__ import annotations


def average_momentum(share: float, steps: int) -> float:
    """Part of the weights that enters their average at each step: over `share` of the training's `steps`, whatever
    their number, what it held falls to 1/e. ValueError for a share of none or of more than all.
    """
    if not 0 < share <= 1:
        raise ValueError(f"ema_share: expected above 0 and at most 1, found {share}; 0.05 is usual")
    return min(0.5, 1 / (share * steps))
