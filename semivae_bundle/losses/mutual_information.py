"""How much the code says about the subject, from the posteriors of a set of subjects."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semivae_bundle.losses.total_correlation import pairwise_log_density

ROWS = 64  # samples at a time: n samples under n posteriors of L dimensions would be n² L numbers at once


def mutual_information(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    r"""$I_q = E_x KL(q(z|x) \| p) - KL(q(z) \| p) = E[\ln q(z|x) - \ln q(z)]$ in nats: (n, L) three times -> ().

    One sample z per subject from its posterior `mean`, `log_var`; q(z) is the mixture of the n posteriors
    (arXiv:1901.05534; the aggregated posterior of arXiv:1511.05644). The prior is in both divergences and
    drops out, with its noise. 0 for a collapsed code. At most ln n: once no sample is likely under another subject's
    posterior the estimate is ln n, 3.8 for 45 subjects, and says no more than that the subjects are told apart.
    """
    n = mean.shape[0]
    own = torch.distributions.Normal(mean.float(), torch.exp(0.5 * log_var.float())).log_prob(z.float()).sum(dim=1)
    aggregate = [
        torch.logsumexp(pairwise_log_density(rows, mean, log_var).sum(dim=2), dim=1) - math.log(n)
        for rows in z.split(ROWS)
    ]
    return (own - torch.cat(aggregate)).mean()
