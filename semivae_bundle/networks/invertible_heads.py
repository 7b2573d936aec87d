"""Features as coordinates of the code: nothing of a partition is lost between the two."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.networks.coupling import CouplingFlow
from semivae_bundle.networks.heads import check_room
from semivae_bundle.networks.partition import partition_slices


class InvertibleHeads(nn.Module):
    """Within each partition a bijection whose first outputs are the features: (B, L) -> (B, F).

    A partition of P dimensions with k features goes through a CouplingFlow of its own (RealNVP, arXiv:1605.08803); the
    first k of its P outputs are the features, the other P - k the `complement`, what the partition holds beside them.
    Features may so be bent functions of the whole partition, as with MLPHeads, and there is still exactly one code for
    given features and complement, which a growth model can ask for. No partition reads another. A fresh flow is the
    identity: feature j reads dimension j of its partition.
    """

    def __init__(
        self,
        partition: Mapping[str, int],
        features: Mapping[str, int],
        layers: int,
        hidden_size: int,
        max_log_scale: float,
    ) -> None:
        super().__init__()
        check_room(partition, features)
        slices = partition_slices(partition)
        self.bounds = [(slices[name].start, slices[name].stop) for name in features]
        self.counts = list(features.values())
        self.latent_size = sum(partition.values())
        self.flows = nn.ModuleList(
            CouplingFlow(partition[name], layers, hidden_size, max_log_scale) for name in features
        )

    def forward(self, latent: Tensor) -> Tensor:
        """(B, L) -> (B, F), float32."""
        outputs = []
        for i, flow in enumerate(self.flows):
            start, stop = self.bounds[i]
            outputs.append(flow(latent[:, start:stop])[:, : self.counts[i]])
        return torch.cat(outputs, dim=1)

    @torch.jit.export
    def complement(self, latent: Tensor) -> Tensor:
        """(B, L) -> (B, C), float32: what the partitions with features hold beside them, partition by partition."""
        outputs = []
        for i, flow in enumerate(self.flows):
            start, stop = self.bounds[i]
            outputs.append(flow(latent[:, start:stop])[:, self.counts[i] :])
        return torch.cat(outputs, dim=1)

    @torch.jit.export
    def inverse(self, features: Tensor) -> Tensor:
        """The code that gives these features and a complement of 0, 0 in partitions without features: (B, F) -> (B, L).

        Not the code nearest to 0, and not affine in the features: to move a code that there is, use `with_features`.
        """
        code = torch.zeros(features.shape[0], self.latent_size, dtype=torch.float32, device=features.device)
        first = 0
        for i, flow in enumerate(self.flows):
            start, stop = self.bounds[i]
            asked = features[:, first : first + self.counts[i]].float()
            code[:, start:stop] = flow.inverse(nn.functional.pad(asked, [0, stop - start - self.counts[i]]))  # type: ignore[operator]
            first += self.counts[i]
        return code

    @torch.jit.export
    def with_features(self, latent: Tensor, features: Tensor) -> Tensor:
        """The code that gives these features and keeps all else of `latent`: (B, L), (B, F) -> (B, L), float32.

        Kept are the complement and the partitions without features.
        """
        code = latent.float().clone()
        first = 0
        for i, flow in enumerate(self.flows):
            start, stop = self.bounds[i]
            held = flow(latent[:, start:stop])[:, self.counts[i] :]
            asked = features[:, first : first + self.counts[i]].float()
            code[:, start:stop] = flow.inverse(torch.cat([asked, held], dim=1))  # type: ignore[operator]
            first += self.counts[i]
        return code
