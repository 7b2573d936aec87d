"""The regression of the features at a noise that is learned, as a term of the objective."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.losses.gather import share_of_all
from semivae_bundle.losses.semantic import masked_gaussian_nll
from semivae_bundle.networks.partition import partition_slices


class LearnedNoiseRegression(nn.Module):
    r"""Gaussian NLL of the present features, each partition at a noise of its own that is learned: output -> ().

    Weighting by homoscedastic uncertainty (arXiv:1705.07115, 3.2), in nats per subject: of each partition
    $e^{-s} E / 2 + n (s + \ln 2\pi) / 2$ with the squared error E of its n features and the log-variance s a parameter.
    What is hard to predict weighs less, by as much as its error says. Takes the place of the semantic terms, whose
    `semantic_sigma` is stated; it starts at `sigma`. Of the other terms the reconstruction is weighted so already, by
    the closed form of the best noise; KL, independence and Dice are no likelihoods; and the weight of the cross-entropy
    is the stated number of independent voxels.

    `features`: number of features per partition. Its parameters are the objective's: give them to the optimiser
    (`*@loss_function.parameters()`). Its value may be below 0, and there is no noise at which a perfect fit would stop.
    """

    def __init__(self, features: Mapping[str, int], sigma: float) -> None:
        super().__init__()
        if not sigma > 0:
            raise ValueError(f"learned noise: expected a sigma > 0 to start from, found {sigma}")
        self.slices = partition_slices(features)
        self.log_var = nn.Parameter(torch.full((len(features),), 2 * math.log(sigma)))

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` for features and which are present -> () nats per subject."""
        sigmas = self.log_var.mul(0.5).exp()
        present = target["present"] > 0
        labelled = torch.stack([present[:, part].any(dim=1).sum() for part in self.slices.values()])
        terms = [
            masked_gaussian_nll(
                output["features"][:, part], target["features"][:, part], target["present"][:, part], sigma=sigma
            )
            for part, sigma in zip(self.slices.values(), sigmas, strict=True)
        ]
        return (share_of_all(labelled) * torch.stack(terms)).sum()

    def noise(self) -> dict[str, float]:
        """The noise of each partition now, in normalised units."""
        return dict(zip(self.slices, self.log_var.detach().mul(0.5).exp().tolist(), strict=True))
