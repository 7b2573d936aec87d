import pytest
import torch

from semivae_bundle.evaluation.tumour_doubt import tumour_doubt

BRAIN = torch.ones(10, 10, 20, dtype=torch.bool)


def logits(sure: int) -> torch.Tensor:
    """Background with odds of e^5 but for `sure` voxels, which are class 2 with the same odds against."""
    found = torch.zeros(4, 10, 10, 20)
    found[0] = 5.0
    found.view(4, -1)[0, :sure], found.view(4, -1)[2, :sure] = 0.0, 5.0
    return found


def test_no_tumour_is_full_of_doubt_and_a_small_sure_one_has_none() -> None:
    assert tumour_doubt(logits(0), BRAIN) == pytest.approx(0.980, abs=1e-3)
    # Two voxels are a thousandth of these 2000.
    assert tumour_doubt(logits(2), BRAIN) == tumour_doubt(logits(500), BRAIN) == pytest.approx(0.00662, abs=1e-4)
    assert tumour_doubt(logits(1), BRAIN) == pytest.approx((0.980 + 0.00662) / 2, abs=1e-3)


def test_what_is_drawn_outside_of_the_brain_is_no_tumour() -> None:
    brain = BRAIN.clone()
    brain[0] = False
    assert tumour_doubt(logits(100), brain) > 0.9
