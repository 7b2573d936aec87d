"""The student learns from one view, the teacher judges another."""

import copy

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from semivae_bundle.losses.consistency import TeacherConsistency
from semivae_bundle.training.batch import TARGETS
from semivae_bundle.training.mean_teacher import MeanTeacherInferer, PrepareTwoViewsBatch, unlabelled_scans
from semivae_bundle.training.precision import AutocastInferer


class Net(nn.Module):
    """The part of SemiVAE that predicts: features read a segmentation without gradient, as in the default encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.segment, self.body, self.heads = nn.Conv3d(4, 4, 1), nn.Linear(4, 3), nn.Linear(3, 2)
        self.modes: list[bool] = []

    def encode(self, image: Tensor) -> tuple[Tensor, None, Tensor, None]:
        self.modes.append(self.training)
        seen_logits = self.segment(image)
        return self.body(seen_logits.detach().mean(dim=(2, 3, 4))), None, seen_logits, None

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        mean, _, seen_logits, _ = self.encode(image)
        return {"features": self.heads(mean), "seen_logits": seen_logits}


@pytest.fixture
def student() -> Net:
    torch.manual_seed(0)
    return Net()


def consistency_of(student: nn.Module, teacher: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    output = MeanTeacherInferer(AutocastInferer(False), teacher)(first, student, teacher_image=second)
    target = {"labelled": torch.zeros(len(first), dtype=torch.bool), "brain": torch.ones_like(first[:, :1])}
    cost: Tensor = TeacherConsistency(0.15, 5000.0)(output, target)
    return cost


def test_one_view_and_one_set_of_weights_cost_nothing(student: Net) -> None:
    image, other = torch.randn(2, 3, 4, 2, 2, 2)
    assert consistency_of(student, copy.deepcopy(student), image, image).item() == 0
    assert consistency_of(student, copy.deepcopy(student), image, other).item() > 0


def test_other_weights_cost_something_for_one_view(student: Net) -> None:
    image = torch.randn(3, 4, 2, 2, 2)
    assert consistency_of(student, Net(), image, image).item() > 0


def test_the_student_alone_learns(student: Net) -> None:
    teacher = Net()
    consistency_of(student, teacher, *torch.randn(2, 3, 4, 2, 2, 2)).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_the_teacher_judges_in_evaluation_mode_and_both_keep_their_modes(student: Net) -> None:
    teacher = Net().train()
    consistency_of(student.train(), teacher, *torch.randn(2, 3, 4, 2, 2, 2))
    assert (teacher.modes, student.modes) == ([False], [True])
    assert teacher.training
    assert student.training


def test_the_second_view_is_an_argument_of_the_inferer_and_no_target() -> None:
    batch = {name: torch.ones(2) for name in ("image", "teacher_image", *TARGETS)}
    batch["teacher_image"] = MetaTensor(2 * batch["teacher_image"])
    image, target, args, kwargs = PrepareTwoViewsBatch()(batch, device="cpu")
    assert image is target["image"]
    assert set(target) == {"image", *TARGETS}
    assert args == ()
    assert list(kwargs) == ["teacher_image"]
    assert type(kwargs["teacher_image"]) is Tensor
    assert kwargs["teacher_image"].tolist() == [2, 2]


def test_a_cohort_of_which_all_is_labelled_has_nobody_to_teach() -> None:
    assert unlabelled_scans([{"label": "a"}, {"label": None}, {}]) == 2
    with pytest.raises(ValueError, match=r"expected unlabelled training scans, found none among 1; .*label_fraction"):
        unlabelled_scans([{"label": "a"}])
