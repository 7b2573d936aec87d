"""Regression of the features at a noise that is predicted with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from semivae_bundle.losses.objective import SemiVAELoss


def masked_heteroscedastic_nll(
    prediction: Tensor, target: Tensor, present: Tensor, log_var: Tensor, *, sigma: float, beta: float
) -> Tensor:
    r"""Gaussian NLL of the present features, each at its own predicted noise, averaged over the labelled subjects.

    $\sum_f m_f \lfloor \sigma_f^2 / \sigma^2 \rfloor^\beta [(y_f - \hat y_f)^2 / (2 \sigma_f^2) + \ln(\sigma_f
    \sqrt{2\pi})]$ with $\sigma_f^2$ = exp(`log_var`); all (B, F) -> (). $\lfloor\cdot\rfloor$: without gradient.

    `beta` 0 is the likelihood, in nats (arXiv:1703.04977, eq. 5). It stalls: what is predicted badly gets a large
    noise, by which its gradient is divided, and so stays predicted badly. `beta` 1 gives predictions the gradient of
    the plain squared error and learns the noise beside it; 0.5 is between (beta-NLL, arXiv:2203.09168). Unlike there
    the variance is taken relative to `sigma`, the stated noise, at which a feature counts as in `masked_gaussian_nll`,
    which has the same value there whatever `beta` is. The best noise for given predictions doesn't depend on `beta`.

    A feature that is absent or unlabelled (present 0) adds nothing, whatever its target holds. 0 when nothing is
    labelled.
    """
    present, log_var = present.float(), log_var.float()
    # `where`, not a product: a sentinel or NaN target must not reach the gradient.
    error = (prediction.float() - target.float()).where(present > 0, 0.0)
    nats = 0.5 * (error.square() * torch.exp(-log_var) + log_var + math.log(2 * math.pi))
    share = torch.exp(beta * (log_var.detach() - 2 * math.log(sigma)))
    labelled = (present.sum(dim=1) > 0).sum().clamp(min=1)
    return (share * nats * present).sum() / labelled


class HeteroscedasticSemiVAELoss(SemiVAELoss):
    """SemiVAELoss whose semantic terms are `masked_heteroscedastic_nll` at `beta` in [0, 1]; all else is the same.

    Reads `features_log_var` of the network's output, from FeatureNoise, and takes `semantic_sigma` as its start.
    """

    def __init__(self, beta: float, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= beta <= 1:
            raise ValueError(f"heteroscedastic loss: expected a beta from 0 to 1, found {beta}")
        if not self.weights["semantic"]:
            raise ValueError(
                "heteroscedastic loss: expected a weight of the semantic terms above 0, else nothing teaches the "
                "noise, found 0; uncertainty_weights has taken their place, leave out one of the two"
            )
        self.beta = beta

    def semantic_terms(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Feature regression of each supervised partition. Raises ValueError where the noise isn't predicted."""
        if "features_log_var" not in output:
            raise ValueError(
                f"heteroscedastic loss: expected features_log_var in the network's output, found {sorted(output)}; add "
                "FeatureNoise to network_def#extra, as configs/recipes/heteroscedastic_heads.yaml does"
            )
        return {
            f"semantic_{name}": masked_heteroscedastic_nll(
                output["features"][:, part],
                target["features"][:, part],
                target["present"][:, part],
                output["features_log_var"][:, part],
                sigma=self.semantic_sigma,
                beta=self.beta,
            )
            for name, part in self.feature_slices.items()
        }
