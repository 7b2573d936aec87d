"""What the partitions say twice."""

from __future__ import annotations

from torch import Tensor


def explained_nats(mean: Tensor, explained: Tensor) -> Tensor:
    r"""What the prior charges for the part of the means that earlier partitions explain, in nats, averaged over the
    batch: $\frac12 \sum_d e_d^2$.

    `explained` (B, L) is the linear regression of each raw mean on the earlier partitions, which
    `networks.decorrelation` takes away, and `mean` (B, L) = raw - explained. >= 0, and 0 without linear dependence.

    The decoder would like the residual to repeat the location, and its gradient does not know that the repetition is
    taken away: unopposed, it fills the raw means with nothing else. `explained` is a projection P of the raw means over
    the cohort, and the gradient of $\frac12 |P m|^2$ by m is P m itself: that is what `mean`, and so the raw mean,
    gets here. The statistics behind P take no gradient.
    """
    fixed = explained.detach()
    gradient_only = (fixed * (mean - mean.detach())).sum(dim=1).mean()
    return 0.5 * fixed.square().sum(dim=1).mean() + gradient_only
