"""Visits of a patient attract, patients repel."""

import math

import pytest
import torch
from monai.losses import ContrastiveLoss
from torch import Tensor, nn

from semivae_bundle.losses.visits import VisitContrast, visit_info_nce


def random_codes(n: int, size: int = 6) -> Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(0))


def of(*patients: int) -> Tensor:
    return torch.tensor(patients)


@pytest.mark.parametrize("pairs", [2, 3, 10])
def test_equal_codes_cost_the_logarithm_of_the_choice(pairs: int) -> None:
    found = visit_info_nce(torch.ones(2 * pairs, 3), torch.arange(pairs).repeat(2), temperature=0.2)
    assert found.item() == pytest.approx(math.log(2 * pairs - 1), rel=1e-5)


def test_it_vanishes_where_patients_are_apart_and_the_temperature_is_low() -> None:
    codes, patients = torch.eye(4).repeat(2, 1), torch.arange(4).repeat(2)
    costs = [visit_info_nce(codes, patients, temperature=t).item() for t in (1.0, 0.2, 0.01)]
    assert costs[0] == pytest.approx(math.log(1 + 6 * math.exp(-1)), rel=1e-5)
    assert costs[0] > costs[1] > costs[2]
    assert costs[2] < 1e-6


def test_of_pairs_alone_it_is_the_loss_of_simclr() -> None:
    first, second = random_codes(10).split(5)
    found = visit_info_nce(torch.cat([first, second]), torch.arange(5).repeat(2), temperature=0.3)
    torch.testing.assert_close(found, ContrastiveLoss(temperature=0.3)(first, second))


def test_swapping_the_visits_changes_nothing() -> None:
    codes, patients = random_codes(6), of(0, 0, 1, 1, 2, 3)
    swapped = visit_info_nce(codes[[1, 0, 3, 2, 4, 5]], patients, temperature=0.3)
    torch.testing.assert_close(swapped, visit_info_nce(codes, patients, temperature=0.3))


def test_a_single_visit_is_somebody_to_be_told_from() -> None:
    found = visit_info_nce(torch.ones(5, 3), of(0, 0, 1, 2, 3), temperature=0.2)
    assert found.item() == pytest.approx(math.log(4), rel=1e-5)


def test_a_third_visit_is_no_stranger() -> None:
    codes = torch.eye(2)[[0, 0, 0, 1]]
    assert visit_info_nce(codes, of(0, 0, 0, 1), temperature=0.01).item() < 1e-6


def test_a_step_draws_visits_together_and_patients_apart() -> None:
    codes, patients = random_codes(4).requires_grad_(), of(0, 0, 1, 1)
    visit_info_nce(codes, patients, temperature=0.5).backward()
    assert codes.grad is not None
    similar = [nn.functional.cosine_similarity(c[:, None], c[None], dim=2) for c in (codes, codes - 0.1 * codes.grad)]
    (same, other), (same_after, other_after) = ((s[[0, 2], [1, 3]].mean(), s[:2, 2:].mean()) for s in similar)
    assert same_after > same
    assert other_after < other


@pytest.mark.parametrize("patients", [(0, 1, 2), (0, 0, 0), (7,)])
def test_without_a_pair_or_a_stranger_there_is_nothing_to_learn(patients: tuple[int, ...]) -> None:
    codes = random_codes(len(patients)).requires_grad_()
    cost = visit_info_nce(codes, of(*patients), temperature=0.2)
    cost.backward()
    assert cost.item() == 0
    assert codes.grad is not None
    assert not codes.grad.any()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e4])
def test_the_gradient_stays_finite_however_long_the_codes_and_low_the_temperature(scale: float) -> None:
    codes = (scale * random_codes(4)).requires_grad_()
    visit_info_nce(codes, of(0, 0, 1, 2), temperature=0.005).backward()
    assert codes.grad is not None
    assert codes.grad.isfinite().all()


PARTITION = {"vol": 2, "residual": 4}


def test_the_term_reads_its_block_alone() -> None:
    term, mean, target = VisitContrast(PARTITION, "residual", 0.2), random_codes(4), {"patient": of(0, 0, 1, 2)}
    before = term({"mean": mean}, target)
    changed = mean.clone()
    changed[:, :2] += torch.randn(4, 2)
    assert torch.equal(term({"mean": changed}, target), before)
    torch.testing.assert_close(before, visit_info_nce(mean[:, 2:], target["patient"], temperature=0.2))


def test_what_the_term_cannot_work_with_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a block among \['vol', 'residual'\], found 'shape'"):
        VisitContrast(PARTITION, "shape", 0.2)
    with pytest.raises(ValueError, match="expected a temperature above 0, found 0"):
        VisitContrast(PARTITION, "vol", 0)
    with pytest.raises(ValueError, match=r"expected 'patient' among the targets, found \['index'\]"):
        VisitContrast(PARTITION, "vol", 0.2)({"mean": random_codes(2)}, {"index": of(0, 1)})
