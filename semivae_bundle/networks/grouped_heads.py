"""Each feature read linearly from the whole of its partition."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import Float32Linear, float32_product
from semivae_bundle.networks.heads import PartitionHeads, check_room

# Relative to the largest singular value. What two read-outs differ by below this is rounding, and giving it back would
# take a code ten thousand times as large.
RANK_TOLERANCE = 1e-4


class GroupedLinearHeads(PartitionHeads):
    """Each feature is an affine read-out of all dimensions of its partition and no others: (B, L) -> (B, F).

    Between StructuredHeads, whose features own their dimensions, and MLPHeads, which cannot be inverted: features that
    go together in a cohort, such as a volume and its parts, may share dimensions, and there still is a direction of the
    code for each. The rows of a fresh partition are orthonormal, so that a standard normal code gives independent
    features of unit variance. Features come in the order of `features`, partition by partition.
    """

    def __init__(self, partition: Mapping[str, int], features: Mapping[str, int]) -> None:
        check_room(partition, features)
        heads = (Float32Linear(partition[name], count) for name, count in features.items())
        super().__init__(partition, features, heads)
        self.counts = list(features.values())
        self.latent_size = sum(partition.values())
        self.tolerance = RANK_TOLERANCE  # TorchScript sees attributes, not module constants
        for head in self.heads:
            nn.init.orthogonal_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    @torch.jit.export
    def inverse(self, features: Tensor) -> Tensor:
        """The code nearest to 0 that gives these features, 0 in partitions without any: (B, F) -> (B, L), float32.

        The pseudo-inverse by singular values rather than by $W^T (W W^T)^{-1}$, which would square the condition
        number; written out because `pinv` multiplies matrices, which autocast would round to bf16. Features that are
        all but copies of each other get the nearest code that fits them best.
        """
        code = torch.zeros(features.shape[0], self.latent_size, dtype=torch.float32, device=features.device)
        first = 0
        for i, head in enumerate(self.heads):
            start, stop = self.bounds[i]
            asked = features[:, first : first + self.counts[i]].float() - head.bias  # type: ignore[operator]
            left, singular, right = torch.linalg.svd(head.weight, full_matrices=False)
            scale = torch.where(singular > self.tolerance * singular[0], 1 / singular, torch.zeros_like(singular))
            code[:, start:stop] = float32_product(float32_product(asked, left.t()) * scale, right.t())
            first += self.counts[i]
        return code
