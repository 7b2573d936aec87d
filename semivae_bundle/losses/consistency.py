"""Agreement with a teacher on what the unlabelled show."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def consistency_nats(student: Tensor, teacher: Tensor, counted: Tensor, *, sigma: float) -> Tensor:
    r"""Squared difference of two predictions in nats, averaged over the subjects that count (arXiv:1703.01780, eq. 1).

    $\sum_f (y_f - y'_f)^2 / (2 \sigma^2)$ with `student`, `teacher` (B, F) and `counted` (B,) bool -> (). `sigma`: the
    stated noise of a feature in normalised units, as in `masked_gaussian_nll`, whose constant is left out: >= 0, and 0
    where they agree or nobody counts. No gradient reaches the teacher.
    """
    error = (student.float() - teacher.detach().float()).square().sum(dim=1) / (2 * sigma**2)
    return error.where(counted, 0.0).sum() / counted.sum().clamp(min=1)


class TeacherConsistency(nn.Module):
    """`consistency_nats` of the unlabelled subjects of a batch: output with `teacher_features`, target -> ().

    The paper counts everybody. Here a labelled subject is held to its measurements, which are better than the
    teacher's guess of them, and its other features belong to regions that it does not have.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Raises ValueError where no teacher was asked."""
        if "teacher_features" not in output:
            raise ValueError(
                f"consistency: expected teacher_features in the network's output, found {sorted(output)}; let "
                "MeanTeacherInferer run it, as configs/recipes/mean_teacher.yaml does"
            )
        return consistency_nats(
            output["features"], output["teacher_features"], ~target["labelled"].bool(), sigma=self.sigma
        )
