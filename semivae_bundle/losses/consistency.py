"""Agreement with a teacher on what the unlabelled show."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.losses.gather import share_of_all


def consistency_nats(student: Tensor, teacher: Tensor, counted: Tensor, *, sigma: float) -> Tensor:
    r"""Squared difference of two predictions in nats, averaged over the subjects that count (arXiv:1703.01780, eq. 1).

    $\sum_f (y_f - y'_f)^2 / (2 \sigma^2)$ with `student`, `teacher` (B, F) and `counted` (B,) bool -> (). `sigma`: the
    stated noise of a feature in normalised units, as in `masked_gaussian_nll`, whose constant is left out: >= 0, and 0
    where they agree or nobody counts. No gradient reaches the teacher.
    """
    error = (student.float() - teacher.detach().float()).square().sum(dim=1) / (2 * sigma**2)
    return error.where(counted, 0.0).sum() / counted.sum().clamp(min=1)


def map_consistency_nats(
    student: Tensor, teacher: Tensor, brain: Tensor, counted: Tensor, *, observations: float
) -> Tensor:
    r"""Squared difference of two segmentations in nats, averaged over the subjects that count (arXiv:1808.03887).

    $\frac{n}{2 N_{brain}} \sum_{v,c} (p_{vc} - p'_{vc})^2$ of the class probabilities: `student`, `teacher` logits
    (B, 4, D, H, W), `brain` (B, 1, D, H, W) in [0, 1], `counted` (B,) bool -> (). n: `observations`, what a scan counts
    as. In [0, n KL(p' || p)] (Pinsker), so on the scale of `tumour_seen_ce`; unlike the KL it stays bounded where the
    teacher is sure and wrong. No gradient reaches the teacher.
    """
    difference = torch.softmax(student.float(), dim=1) - torch.softmax(teacher.detach().float(), dim=1)
    voxels = brain.float().sum(dim=(1, 2, 3, 4)).clamp(min=1)
    error = 0.5 * observations * difference.square().sum(dim=(1, 2, 3, 4)) / voxels
    return error.where(counted, 0.0).sum() / counted.sum().clamp(min=1)


class TeacherConsistency(nn.Module):
    """`consistency_nats` and `map_consistency_nats` of the unlabelled subjects of a batch, added: output with
    `teacher_features` and `teacher_seen_logits`, target -> (). Of several processes each by its share of them.

    Both, because the features read a segmentation without gradient: they alone would teach the encoder nothing of what
    differs between two views. The paper counts everybody. Here a labelled subject is held to its mask and measurements,
    which are better than the teacher's guess of them, and its other features belong to regions that it does not have.
    """

    def __init__(self, sigma: float, observations: float) -> None:
        super().__init__()
        self.sigma, self.observations = sigma, observations

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Raises ValueError where no teacher was asked."""
        if "teacher_features" not in output:
            raise ValueError(
                f"consistency: expected teacher_features in the network's output, found {sorted(output)}; let "
                "MeanTeacherInferer run it, as configs/recipes/mean_teacher.yaml does"
            )
        counted = ~target["labelled"].bool()
        features = consistency_nats(output["features"], output["teacher_features"], counted, sigma=self.sigma)
        maps = map_consistency_nats(
            output["seen_logits"],
            output["teacher_seen_logits"],
            target["brain"],
            counted,
            observations=self.observations,
        )
        return share_of_all(counted.sum()) * (features + maps)
