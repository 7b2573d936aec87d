r"""Gaussian experts, one per modality, and what they say together.

Experts are `mean`, `log_var` (B, M, L) and `present` (B, M), 1 for an expert that was asked; where it is 0 the numbers
mean nothing and get no gradient, whatever they are. The prior is N(0, I). Where no expert is present it is the answer.
"""

from __future__ import annotations

import torch
from torch import Tensor


def product_of_experts(mean: Tensor, log_var: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    r"""The normalised product of the prior and the present experts (MVAE, arXiv:1802.05335, 2.2): mean, log-var (B, L).

    $\tau = 1 + \sum_m e^{-s_m}$, $\mu = \sum_m e^{-s_m} \mu_m / \tau$, log-variance $-\ln \tau$: precisions add, so two
    equal experts halve the variance (of the product without the prior). Each dimension listens to whoever is sure.
    """
    absent = (present == 0).unsqueeze(2)
    precision = torch.exp(-log_var.masked_fill(absent, 0.0)).masked_fill(absent, 0.0)
    total = 1 + precision.sum(dim=1)
    return (precision * mean.masked_fill(absent, 0.0)).sum(dim=1) / total, -torch.log(total)


def mixture_of_experts(mean: Tensor, log_var: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    r"""Mean and log-variance (B, L) of the equal mixture of the present experts (mmVAE, arXiv:1911.03393, eq. 3).

    By the law of total variance, $\mathrm{mean}_m\, e^{s_m} + \mathrm{var}_m\, \mu_m$: what the experts are unsure of,
    and what they disagree on. The Gaussian of these moments is not the mixture; to draw from that, see
    `stratified_expert`.
    """
    absent = (present == 0).unsqueeze(2)
    nobody = absent.all(dim=1)
    share = (~absent).to(mean.dtype) / (~absent).sum(dim=1, keepdim=True).clamp(min=1)
    known = mean.masked_fill(absent, 0.0)
    centre = (share * known).sum(dim=1)
    within = (share * torch.exp(log_var.masked_fill(absent, 0.0))).sum(dim=1)
    between = (share * (known - centre.unsqueeze(1)).square()).sum(dim=1)
    return centre, torch.log((within + between).masked_fill(nobody, 1.0))


def stratified_choice(present: Tensor) -> Tensor:
    """One present expert per subject, each with the same chance: (B, M) -> (B,) int64; -1 where there is none.

    Stratified over the batch: subject i draws in the i-th of B equal strata, the strata dealt out at random. A batch of
    M complete subjects so draws every expert once, and the gradient varies less than with independent draws.
    """
    batch = present.shape[0]
    strata = torch.randperm(batch, device=present.device) + torch.rand(batch, device=present.device)
    count = (present != 0).sum(dim=1)
    rank = torch.minimum((strata / batch * count).long(), count - 1)
    order = (present != 0).long().cumsum(dim=1) - 1
    chosen = (order == rank.unsqueeze(1)) & (present != 0)
    return torch.where(count > 0, chosen.long().argmax(dim=1), torch.full_like(count, -1))


def stratified_expert(mean: Tensor, log_var: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    r"""Mean and log-variance (B, L) of one expert per subject, by `stratified_choice`.

    A sample of the Gaussian so chosen is a sample of the mixture. Its KL from the prior is, on average over the choice,
    $\mathrm{mean}_m \mathrm{KL}(q_m \| p)$, which by convexity is at least the mixture's own, by at most $\ln M$ nats:
    the objective stays a bound of the evidence (arXiv:1911.03393, 3.3). With the moments of the mixture it wouldn't.
    """
    chosen = stratified_choice(present)
    nobody = (chosen < 0).unsqueeze(1)
    index = chosen.clamp(min=0)[:, None, None].expand(mean.shape[0], 1, mean.shape[2])
    picked_mean, picked_log_var = mean.gather(1, index).squeeze(1), log_var.gather(1, index).squeeze(1)
    return picked_mean.masked_fill(nobody, 0.0), picked_log_var.masked_fill(nobody, 0.0)


def pooled_logits(logits: Tensor, present: Tensor, prior: Tensor) -> Tensor:
    r"""What the present experts say of each voxel together: (B, M, K, D, H, W), (B, M), (K,) -> (B, K, D, H, W).

    $\ell = \ell_0 + \sum_m (\ell_m - \ell_0)$: the product of experts of a class, $p(y) \prod_m p(y|x_m)/p(y)$, which
    Bayes' rule gives where modalities err independently. Evidence adds up, so one that shows nothing, of the prior's
    logits, changes nothing. Without any expert it is the prior.
    """
    base = prior[:, None, None, None]
    absent = (present == 0)[:, :, None, None, None, None]
    return base + (logits - base).masked_fill(absent, 0.0).sum(dim=1)
