"""A second, coarse decoder that reads one partition alone, as a term of the objective."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool3d

from semivae_bundle.losses.reconstruction import optimal_sigma_nll, voxel_weights, weighted_mse
from semivae_bundle.networks.partition import partition_slices


class CoarseReconstruction(nn.Module):
    """Gaussian NLL of the scan averaged to `side` cells a side, drawn from the partition `block` alone: output -> ().

    The main decoder may draw the brain from its atlas and its coordinates and leave the residual idle; this one has
    nothing but the residual, so what tells one anatomy from another has to be in it. `decoder`: (B, size of the block)
    -> (B, C side³), such as a linear layer. It draws from the sampled code; noise at its optimal scale, in nats, a
    scan counted as `observations`. A cell weighs as its share of brain, and `outside_weight` beyond it; a tumour weighs
    like the rest of the brain, since other partitions are about it.

    Its parameters are the objective's: give them to the optimiser (`*@loss_function.parameters()`). A checkpoint holds
    them; `model.pt` does not need them.
    """

    def __init__(
        self,
        partition: Mapping[str, int],
        block: str,
        decoder: nn.Module,
        side: int,
        observations: float,
        outside_weight: float,
    ) -> None:
        super().__init__()
        if block not in partition:
            raise ValueError(f"coarse reconstruction: expected a block among {list(partition)}, found {block!r}")
        self.part = partition_slices(partition)[block]
        self.decoder, self.side = decoder, side
        self.observations, self.outside_weight = observations, outside_weight

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` for image and brain -> () nats per subject."""
        coarse = adaptive_avg_pool3d(target["image"].float(), self.side)
        brain = adaptive_avg_pool3d(target["brain"].float(), self.side)
        drawn = self.decoder(output["latent"][:, self.part].float())
        if drawn.numel() != coarse.numel():
            raise ValueError(
                f"coarse reconstruction: expected a decoder to {coarse[0].numel()} numbers, {coarse.shape[1]} channels "
                f"of {self.side}³ cells, found {drawn[0].numel()}"
            )
        weights = voxel_weights(brain, 0 * brain, outside=self.outside_weight, tumour_weight=1.0)
        return optimal_sigma_nll(
            weighted_mse(drawn.reshape(coarse.shape), coarse, weights), observations=self.observations
        )
