"""A posterior some of whose partitions are what several experts say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from semivae_bundle.networks.expert_encoder import EXPERT_FEATURES
from semivae_bundle.networks.posterior import MAX_LOG_VAR, PartitionPosterior, Posterior

Combine = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class ExpertPartitionPosterior(nn.Module):
    """One partition by M experts: dict of (B, M, n) or (B, n) -> mean, log-variance (B, out).

    Each expert reads its own share of EXPERT_FEATURES and whatever they have in common. `evaluated` and `trained`
    combine their Gaussians in either mode, see `networks/experts.py`.
    """

    def __init__(self, part: PartitionPosterior, min_log_var: float, evaluated: Combine, trained: Combine) -> None:
        super().__init__()
        self.part = part
        self.min_log_var, self.max_log_var = min_log_var, MAX_LOG_VAR
        self.evaluated, self.trained = evaluated, trained

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Features by name, with `presence` (B, M) -> mean, log-variance (B, out), float32."""
        present = features["presence"]
        batch, experts = present.shape[0], present.shape[1]
        own: dict[str, Tensor] = {}
        for name in self.part.reads:
            value = features[name]
            own[name] = value.flatten(0, 1) if value.dim() == 3 else value.repeat_interleave(experts, dim=0)
        mean, log_var = self.part(own)
        # Bounded one by one: no expert may be so sure that it alone counts, or so unsure that its variance overflows.
        log_var = log_var.clamp(self.min_log_var, self.max_log_var).unflatten(0, (batch, experts))
        mean = mean.unflatten(0, (batch, experts))
        return self.trained(mean, log_var, present) if self.training else self.evaluated(mean, log_var, present)


class ExpertPosterior(Posterior):
    """Posterior in which a partition that `reads` any of EXPERT_FEATURES is combined from experts.

    `evaluated`, `trained`: functions of experts (mean, log_var, present) -> mean, log-variance. Product of experts:
    `product_of_experts` for both. Mixture: `mixture_of_experts`, its moments, and `stratified_expert`, one of the
    experts at a time, so that SemiVAE's Gaussian sample is one of the mixture. The other arguments as for Posterior.
    """

    def __init__(
        self,
        partition: Mapping[str, int],
        reads: Mapping[str, Sequence[str]],
        evaluated: Combine,
        trained: Combine,
        **sizes: Any,
    ) -> None:
        super().__init__(partition=partition, reads=reads, **sizes)
        self.parts = nn.ModuleList(
            ExpertPartitionPosterior(part, self.min_log_var, evaluated, trained)  # type: ignore[arg-type]
            if set(reads[name]) & set(EXPERT_FEATURES)
            else part
            for name, part in zip(partition, self.parts, strict=True)
        )
