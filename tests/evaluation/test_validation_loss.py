import pandas as pd
import pytest

from semivae_bundle.evaluation.validation_loss import loss_given_back


def history(losses: list[float], **others: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"val_epoch/loss": losses, **others}, index=range(1, len(losses) + 1))


@pytest.mark.parametrize(("losses", "share"), [([9, 5, 3], 0.0), ([9, 3, 6], 0.5), ([3, 4, 9], 1.0), ([3, 3], 0.0)])
def test_the_share_of_the_fall_that_was_given_back(losses: list[float], share: float) -> None:
    found = loss_given_back(history(losses))
    assert (found.value, found.low, found.high) == (share, share, share)


def test_sign_and_scale_of_the_loss_do_not_count() -> None:
    assert loss_given_back(history([-100.0, -700.0, -400.0])).value == 0.5


def test_epochs_of_another_objective_are_not_compared() -> None:
    found = loss_given_back(history([1.0, 9.0, 5.0, 7.0], **{"weight/kl": [0.0, 1.0, 1.0, 1.0]}))
    assert found.value == 0.5
    assert "compared from epoch 2" in found.note


def test_epochs_without_a_validation_are_left_out() -> None:
    assert loss_given_back(history([9.0, float("nan"), 3.0, float("nan"), 6.0])).value == 0.5


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "no metrics.csv"),
        (pd.DataFrame({"train/loss": [1.0]}), "no metrics.csv with a validation loss"),
        (history([9.0]), "fewer than two validations"),
        (history([9.0, 8.0], **{"weight/kl": [0.0, 1.0]}), "fewer than two validations"),
    ],
)
def test_what_cannot_be_compared_says_why(given: pd.DataFrame | None, why: str) -> None:
    found = loss_given_back(given)
    assert found.value is None
    assert why in found.note
