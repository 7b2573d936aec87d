"""Agreement with a teacher, in nats."""

import pytest
import torch

from semivae_bundle.losses.consistency import TeacherConsistency, consistency_nats
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


def test_the_term_counts_the_unlabelled() -> None:
    output = {"features": torch.tensor([[9.0], [2.0]]), "teacher_features": torch.zeros(2, 1)}
    assert TeacherConsistency(1.0)(output, {"labelled": torch.tensor([True, False])}).item() == 2


def test_a_batch_that_no_teacher_saw_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected teacher_features in the network's output, found \['features'\]"):
        TeacherConsistency(1.0)({"features": torch.zeros(2, 1)}, {"labelled": ALL})
