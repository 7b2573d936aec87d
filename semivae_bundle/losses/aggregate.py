"""How the means of many subjects fill the latent space, against a standard normal."""

from __future__ import annotations

import torch
from torch import Tensor


def normal_density_gap(means: Tensor) -> Tensor:
    r"""How much less dense the standard normal is at the means than at draws of its own, in nats per subject:
    $\frac12 (E|m|^2 - D)_+$, (n, D) -> ().

    0 for a perfect normal, and for anything closer to the centre: that a code is too narrow is the KL's and
    `normal_discrepancy`'s to say, and without the bound this term alone would draw every mean to 0.
    """
    excess = means.float().square().sum(dim=1).mean() - means.shape[1]
    return 0.5 * excess.clamp(min=0)


def normal_discrepancy(means: Tensor) -> Tensor:
    r"""Squared maximum mean discrepancy (Gretton et al., JMLR 13:723, 2012) between the means and a standard normal, by
    a Gaussian kernel of width $h^2 = D$: (n, D) -> ().

    The normal enters in closed form, not by draws: $E_y k(x, y) = (\frac{h^2}{h^2 + 1})^{D/2} e^{-|x|^2 / 2 (h^2 +
    1)}$ and $E k(y, y') = (\frac{h^2}{h^2 + 2})^{D/2}$. >= 0 (the biased form, whose floor for n perfect draws is about
    (1 - E k(y, y')) / n). Large where the means leave holes, clump, or run away.
    """
    x = means.float()
    size = x.shape[1]
    width = float(size)
    among = torch.exp(-(x.unsqueeze(1) - x.unsqueeze(0)).square().sum(dim=2) / (2 * width)).mean()
    across = (width / (width + 1)) ** (size / 2) * torch.exp(-x.square().sum(dim=1) / (2 * (width + 1))).mean()
    return among - 2 * across + (width / (width + 2)) ** (size / 2)
