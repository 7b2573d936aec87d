"""How far off the predicted features may be, scan by scan."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import silu

from semivae_bundle.networks.blocks import Float32Linear, softly_bounded

LOG_VAR_REACH = 4.0
"""How far a log-variance can go from its start, either way: a factor of e^2 = 7.4 in the noise. From the usual 0.15
that is 0.02, below what a mask can be measured to, up to 1.1, above the error of knowing nothing, which is 1."""


class FeatureNoise(nn.Module):
    r"""Log-variance of each feature's prediction, in normalised units: mean code (B, L) -> (B, F), float32.

    Stands beside heads of any kind, in `extra` of SemiVAE, and makes the regression heteroscedastic
    (arXiv:1703.04977, eq. 5). $2 \ln \sigma + R \tanh(h(m) / R)$ with R = LOG_VAR_REACH and one hidden layer h whose
    output starts at 0, so at first the noise is the stated `sigma` for every scan; bounded softly, because a clamp has
    no gradient to come back by.

    It reads the whole code, since the volume says how well a shape can be told, but the code is detached: it is not
    asked to carry anything for the sake of the noise, and no partition gets another's features by this way.
    """

    def __init__(self, latent_size: int, features: Mapping[str, int], hidden_size: int, sigma: float) -> None:
        super().__init__()
        if not sigma > 0 or hidden_size < 1:
            raise ValueError(
                f"feature noise: expected sigma > 0 to start from and hidden_size >= 1, found {sigma=}, {hidden_size=}"
            )
        self.start, self.reach = 2 * math.log(sigma), LOG_VAR_REACH
        self.hidden = Float32Linear(latent_size, hidden_size)
        self.out = Float32Linear(hidden_size, sum(features.values()))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, mean: Tensor) -> Tensor:
        """(B, L) -> (B, F)."""
        raw = self.out(silu(self.hidden(mean.detach())))
        return self.start + softly_bounded(raw, self.reach)
