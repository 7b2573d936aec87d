"""The running average reaches back over a share of the training."""

import math

import pytest

from semivae_bundle.training.running_average import average_momentum


@pytest.mark.parametrize("steps", [500, 20000])
def test_over_its_share_of_the_steps_what_the_average_held_falls_to_one_e_th(steps: int) -> None:
    assert (1 - average_momentum(0.05, steps)) ** (0.05 * steps) == pytest.approx(math.exp(-1), rel=0.03)


def test_a_short_training_moves_the_average_half_way_at_most() -> None:
    assert average_momentum(0.05, 10) == 0.5


@pytest.mark.parametrize("share", [0, -0.1, 1.5])
def test_a_share_of_nothing_or_of_more_than_all_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"ema_share: expected above 0 and at most 1, found {share}"):
        average_momentum(share, 100)
