"""Dice and cross-entropy of soft tumour maps."""

import math

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.tumour import of_labelled, soft_cross_entropy, soft_dice_loss, tumour_map_loss


def soft_maps(seed: int = 0) -> Tensor:
    return torch.randn(2, 4, 3, 3, 3, generator=torch.Generator().manual_seed(seed)).softmax(dim=1)


def everywhere(maps: Tensor) -> Tensor:
    """A brain that fills the grid."""
    return torch.ones_like(maps[:, :1])


def test_dice_loss_of_identical_soft_maps_is_zero() -> None:
    assert float(soft_dice_loss(soft_maps(), soft_maps())) == pytest.approx(0, abs=1e-6)


def test_dice_loss_of_disjoint_bodies_is_one() -> None:
    p, t = torch.zeros(1, 1, 1, 1, 4), torch.zeros(1, 1, 1, 1, 4)
    p[..., :2] = 1
    t[..., 2:] = 1
    assert float(soft_dice_loss(p, t)) == pytest.approx(1, abs=1e-4)


def test_dice_loss_of_a_half_covered_body_is_its_closed_form() -> None:
    p, t = torch.zeros(1, 1, 1, 1, 4), torch.ones(1, 1, 1, 1, 4)
    p[..., :2] = 1
    assert float(soft_dice_loss(p, t)) == pytest.approx(1 - 2 * 2 / (2 + 4), abs=1e-4)


def test_a_class_that_does_not_occur_has_no_say_and_makes_no_nan() -> None:
    fractions = torch.zeros(1, 3, 2, 2, 2)
    fractions[:, 1] = 1
    probabilities = fractions.clone().requires_grad_()
    value = soft_dice_loss(probabilities, fractions)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert probabilities.grad is not None
    assert probabilities.grad.isfinite().all()
    assert not probabilities.grad[:, [0, 2]].any()


def test_a_map_without_tumour_has_no_dice_loss() -> None:
    assert float(soft_dice_loss(soft_maps()[:, 1:], torch.zeros(2, 3, 3, 3, 3))) == 0.0


def test_cross_entropy_of_ignorance_is_the_logarithm_of_the_classes() -> None:
    log_p = torch.full((2, 4, 3, 3, 3), -math.log(4))
    assert float(soft_cross_entropy(log_p, soft_maps()[:, 1:], everywhere(log_p))) == pytest.approx(math.log(4))


def test_cross_entropy_is_least_at_the_fractions_and_is_their_entropy_there() -> None:
    p = soft_maps()
    entropy = -(p * p.log()).sum(dim=1).mean()
    torch.testing.assert_close(soft_cross_entropy(p.log(), p[:, 1:], everywhere(p)), entropy)
    other = (p.log() + 0.1 * torch.randn_like(p)).log_softmax(dim=1)
    assert soft_cross_entropy(other, p[:, 1:], everywhere(p)) > entropy


def test_cross_entropy_of_whole_voxels_is_torch_s_own() -> None:
    torch.manual_seed(0)
    labels, logits = torch.randint(0, 4, (2, 3, 3, 3)), torch.randn(2, 4, 3, 3, 3)
    fractions = torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).float()
    found = soft_cross_entropy(logits.log_softmax(dim=1), fractions[:, 1:], everywhere(logits))
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, labels))


def test_cross_entropy_is_counted_per_brain_voxel_and_counts_errors_outside_too() -> None:
    log_p, healthy = torch.full((1, 4, 2, 2, 2), -math.log(4)), torch.zeros(1, 3, 2, 2, 2)
    brain = torch.zeros(1, 1, 2, 2, 2)
    brain[..., 0] = 1
    assert float(soft_cross_entropy(log_p, healthy, brain)) == pytest.approx(2 * math.log(4))
    log_p[:, 0, :, :, 1] = 0.0  # the background outside is known: only the brain is left to pay for
    assert float(soft_cross_entropy(log_p, healthy, brain)) == pytest.approx(math.log(4))
    assert torch.isfinite(soft_cross_entropy(log_p, healthy, torch.zeros_like(brain)))


def test_background_is_what_the_regions_leave() -> None:
    fractions = soft_maps()
    brain = everywhere(fractions)
    ce, dice = tumour_map_loss(fractions.log(), fractions[:, 1:], brain)
    torch.testing.assert_close(ce, soft_cross_entropy(fractions.log(), fractions[:, 1:], brain))
    assert float(dice) == pytest.approx(0, abs=1e-6)


def test_unlabelled_subjects_take_no_part() -> None:
    logits, regions = torch.randn(2, 4, 3, 3, 3), soft_maps()[:, 1:]
    regions[1] = float("nan")
    brain = everywhere(logits)
    both = tumour_map_loss(*of_labelled(torch.tensor([True, False]), (logits, regions, brain)))
    alone = tumour_map_loss(logits[:1], regions[:1], brain[:1])
    torch.testing.assert_close(both, alone)


def test_a_batch_without_labels_costs_nothing_and_can_be_differentiated() -> None:
    logits = torch.randn(2, 4, 2, 2, 2, requires_grad=True)
    maps = (logits, torch.zeros(2, 3, 2, 2, 2), everywhere(logits.detach()))
    ce, dice = tumour_map_loss(*of_labelled(torch.zeros(2).bool(), maps))
    (ce + dice).backward()
    assert ce.tolist() == dice.tolist() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
