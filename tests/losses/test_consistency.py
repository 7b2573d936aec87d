"""Agreement with a teacher, in nats."""

import pytest
import torch
from torch.nn.functional import kl_div

from semivae_bundle.losses.consistency import TeacherConsistency, consistency_nats, map_consistency_nats
from semivae_bundle.losses.semantic import masked_gaussian_nll

ALL = torch.tensor([True, True])


def test_agreement_costs_nothing() -> None:
    features = torch.randn(2, 5)
    assert consistency_nats(features, features, ALL, sigma=0.15).item() == 0


def test_a_difference_of_sigma_is_half_a_nat_per_feature() -> None:
    found = consistency_nats(torch.zeros(2, 5), torch.full((2, 5), 0.15), ALL, sigma=0.15)
    assert found.item() == pytest.approx(5 / 2)


def test_it_is_the_regression_on_the_teacher_but_for_the_constant() -> None:
    student, teacher, present = torch.randn(2, 5), torch.randn(2, 5), torch.ones(2, 5)
    regression = masked_gaussian_nll(student, teacher, present, sigma=0.3)
    floor = masked_gaussian_nll(teacher, teacher, present, sigma=0.3)
    torch.testing.assert_close(consistency_nats(student, teacher, ALL, sigma=0.3), regression - floor)


def test_only_who_counts_counts_and_the_mean_is_over_them() -> None:
    student = torch.tensor([[9.0], [2.0]])
    assert consistency_nats(student, torch.zeros(2, 1), torch.tensor([False, True]), sigma=1.0).item() == 2
    assert consistency_nats(student, torch.zeros(2, 1), ~ALL, sigma=1.0).item() == 0


def test_the_gradient_draws_the_student_to_the_teacher_and_leaves_the_teacher() -> None:
    student, teacher = torch.ones(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    consistency_nats(student, teacher, torch.tensor([True, False]), sigma=1.0).backward()
    assert student.grad is not None
    assert student.grad.tolist() == [[1.0] * 3, [0.0] * 3]
    assert teacher.grad is None


def test_equal_segmentations_cost_nothing_and_opposite_ones_an_observation_per_voxel_of_brain() -> None:
    sure = torch.zeros(2, 4, 2, 2, 2)
    sure[:, 0] = 100.0
    brain = torch.ones(2, 1, 2, 2, 2)
    brain[:, :, 0] = 0
    assert map_consistency_nats(sure, sure, brain, ALL, observations=10.0).item() == 0
    other = sure.roll(1, dims=1)
    assert map_consistency_nats(sure, other, brain, ALL, observations=10.0).item() == pytest.approx(10 * 8 / 4)
    one = torch.tensor([False, True])
    other[0] = sure[0]
    assert map_consistency_nats(sure, other, brain, one, observations=10.0).item() == pytest.approx(10 * 8 / 4)
    assert map_consistency_nats(sure, other, brain, ~one, observations=10.0).item() == 0


def test_a_difference_of_segmentations_costs_no_more_than_the_divergence() -> None:
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 1, 4, 3, 3, 3)
    brain = torch.ones(1, 1, 3, 3, 3)
    found = map_consistency_nats(student, teacher, brain, torch.tensor([True]), observations=1.0)
    divergence = kl_div(student.log_softmax(dim=1), teacher.softmax(dim=1), reduction="sum") / 27
    assert 0.1 * divergence < found < divergence


def test_the_term_counts_the_unlabelled() -> None:
    output = {"features": torch.tensor([[9.0], [2.0]]), "teacher_features": torch.zeros(2, 1)}
    output |= {"seen_logits": torch.zeros(2, 4, 1, 1, 1), "teacher_seen_logits": torch.zeros(2, 4, 1, 1, 1)}
    target = {"labelled": torch.tensor([True, False]), "brain": torch.ones(2, 1, 1, 1, 1)}
    assert TeacherConsistency(1.0, 5.0)(output, target).item() == 2
    output["seen_logits"][:, 0] = output["teacher_seen_logits"][:, 1] = 100.0
    assert TeacherConsistency(1.0, 5.0)(output, target).item() == pytest.approx(2 + 5)


def test_a_batch_that_no_teacher_saw_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected teacher_features in the network's output, found \['features'\]"):
        TeacherConsistency(1.0, 1.0)({"features": torch.zeros(2, 1)}, {"labelled": ALL})


def test_of_several_processes_each_weighs_by_the_unlabelled_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    output = {"features": torch.ones(2, 1), "teacher_features": torch.zeros(2, 1)}
    output |= {name: torch.zeros(2, 4, 1, 1, 1) for name in ("seen_logits", "teacher_seen_logits")}
    target = {"labelled": torch.tensor([True, False]), "brain": torch.ones(2, 1, 1, 1, 1)}
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda total: total.add_(3))
    assert TeacherConsistency(1.0, 1.0)(output, target).item() == 0.5 * 1 / 2
