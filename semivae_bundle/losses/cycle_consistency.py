"""Do the measured partitions hold what their features say, and no more?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from semivae_bundle.networks.partition import partition_slices


class CycleConsistency(nn.Module):
    r"""Cycle consistency of the semantic heads, in nats: $\frac12 |m - h^{-1}(h(m))|^2$ over the partitions with
    features, averaged over the batch: output -> ().

    h are the heads, $h^{-1}$ their `inverse`: the code nearest to 0 that gives these features. The value is the KL
    between unit Gaussians at the mean and at its re-encoded prediction (the cycle of arXiv:1703.10593, in feature
    space), and 0 where a partition is a function of its features: a growth model then steers one number per feature.
    Every scan counts, labelled or not.

    The re-encoded prediction is detached. With a gradient the heads could lower the term by turning towards whatever
    the partition holds, and so would give up the features; so the partition moves towards its heads, never the heads.
    Of what the partition holds only the part that its heads do not read is pulled: the predictions stay as they are.
    That holds for affine heads alone; those with a `complement` are bent, and following the term would move what they
    predict.
    """

    def __init__(self, partition: Mapping[str, int], features: Mapping[str, int], heads: nn.Module) -> None:
        super().__init__()
        if not hasattr(heads, "inverse"):
            raise ValueError(
                "cycle consistency: expected heads with an inverse, such as StructuredHeads, found "
                f"{type(heads).__name__}"
            )
        if hasattr(heads, "complement"):
            raise ValueError(
                "cycle consistency: expected heads that are affine, such as StructuredHeads, found "
                f"{type(heads).__name__} with a complement, by which following the term moves the predictions; leave "
                "out invertible_heads or cycle_consistency"
            )
        slices = partition_slices(partition)
        self.measured = [slices[name] for name in features]
        # In a tuple: the heads' parameters belong to the network, not to the objective.
        self._heads: tuple[Any] = (heads,)

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE -> ()."""
        mean = output["mean"].float()
        with torch.no_grad():
            again = self._heads[0].inverse(output["features"].float())
        return sum(
            (0.5 * (mean - again)[:, part].square().sum(dim=1).mean() for part in self.measured), mean.new_zeros(())
        )
