"""What stays the same between visits of a patient: a contrastive term."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from semivae_bundle.losses.gather import gather_with_gradient
from semivae_bundle.networks.partition import partition_slices


def visit_info_nce(codes: Tensor, patients: Tensor, *, temperature: float) -> Tensor:
    r"""InfoNCE (arXiv:1807.03748, eq. 4) between visits, in nats per scan that has another visit in the batch.

    $-\ln \frac{e^{s_{ij}}}{e^{s_{ij}} + \sum_n e^{s_{in}}}$, averaged over the ordered pairs (i, j) of visits of one
    patient, so in both directions; n runs over the other patients, $s = \cos(m_i, m_j) / T$ with T = `temperature`.
    `codes` (B, D), `patients` (B,) -> (). ln(2P - 1) for P pairs of equal codes and nobody else; near 0 where visits
    agree and patients do not, at a low temperature; 0 without a pair or without a second patient.

    Of pairs alone this is `monai.losses.ContrastiveLoss`, which has no place for patients with a single visit, takes a
    third visit for a stranger, and overflows at temperatures below about 0.0113.
    """
    # The direction of a code near 0 is noise, whose gradient would grow without bound.
    unit = normalize(codes.float(), dim=1, eps=1e-3)
    similarity = unit @ unit.T / temperature
    same = patients[:, None] == patients[None, :]
    # Large, not infinite: the logarithm of an empty sum would have no gradient to speak of.
    negatives = similarity.masked_fill(same, -1e9).logsumexp(dim=1, keepdim=True)
    pairs = same & ~torch.eye(len(codes), dtype=torch.bool, device=codes.device)
    cost = softplus(negatives - similarity)
    per_scan = cost.where(pairs, 0.0).sum(dim=1) / pairs.sum(dim=1).clamp(min=1)
    return per_scan.sum() / pairs.any(dim=1).sum().clamp(min=1)


class VisitContrast(nn.Module):
    """`visit_info_nce` of the means of partition `block`, over the batch of all processes: output, target with
    `patient` (B,) -> ().
    """

    def __init__(self, partition: Mapping[str, int], block: str, temperature: float) -> None:
        super().__init__()
        if block not in partition:
            raise ValueError(f"visits: expected a block among {list(partition)}, found {block!r}")
        if not temperature > 0:
            raise ValueError(f"visits: expected a temperature above 0, found {temperature}")
        self.part, self.temperature = partition_slices(partition)[block], temperature

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Raises ValueError where the batch does not tell the patients."""
        if "patient" not in target:
            raise ValueError(
                f"visits: expected 'patient' among the targets, found {sorted(target)}; name it in `more` of "
                "PrepareSemiVAEBatch, as configs/recipes/longitudinal_pairs.yaml does"
            )
        codes = gather_with_gradient(output["mean"][:, self.part].float())
        return visit_info_nce(codes, gather_with_gradient(target["patient"]), temperature=self.temperature)
