"""The objective of a network whose prior is learned."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from semivae_bundle.losses.kl import gaussian_kl_between
from semivae_bundle.losses.objective import SemiVAELoss


class HierarchicalLoss(SemiVAELoss):
    """SemiVAELoss whose KL is from the prior in the output of HierarchicalSemiVAE (`prior_mean`, `prior_log_var`).

    One sample of the earlier partitions stands for the expectation over them in training, their means in evaluation.
    """

    def kl_per_dimension(self, output: Mapping[str, Tensor]) -> Tensor:
        """KL of each dimension from its prior given the earlier partitions, averaged over the batch: (L,)."""
        names = ("mean", "log_var", "prior_mean", "prior_log_var")
        return gaussian_kl_between(*(output[name].float() for name in names))

    def explained_from(self, output: Mapping[str, Tensor]) -> Tensor:
        """What the scan adds to the prior's means, (B, L): the prior can't make it any less dependent."""
        return output["added"]
