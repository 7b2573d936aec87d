"""Options are checked before the first subject is read, all at once."""

from typing import Any

import pytest

from semivae_bundle.training.checks import check_training, training_problems

GOOD: dict[str, Any] = {
    "partition": {"vol": 4, "loc": 3},
    "latent_size": 7,
    "free_bits": {"vol": 0.1, "loc": 0.1},
    "weights": {"reconstruction": 1.0, "kl": 1.0, "semantic": 1.0, "tumour": 1.0, "independence": 0.0},
    "extra": [],
    "epochs": 10,
    "warmup_epochs": 1,
    "semantic_start_epoch": 2,
}


def test_consistent_options_have_no_problem() -> None:
    assert training_problems(**GOOD) == []
    check_training(**GOOD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_size": 8}, "partition: sizes must add up to latent_size 8, found 7"),
        ({"free_bits": {"vol": 0.1}}, "free_bits: expected one value for each of ['vol', 'loc'], found ['vol']"),
        ({"free_bits": {"vol": -0.1, "loc": 0.1}}, "free_bits.vol: expected 0 to 5 nats"),
        ({"free_bits": {"vol": 0.1, "loc": 50.0}}, "free_bits.loc: expected 0 to 5 nats"),
        ({"free_bits": {"vol": float("nan"), "loc": 0.1}}, "free_bits.vol: expected 0 to 5 nats"),
        ({"weights": {**GOOD["weights"], "semantics": 1.0}}, "weights: expected one for each of ['reconstruction'"),
        ({"extra": ["hsic"]}, "weights: expected one for each of ['reconstruction'"),
        ({"weights": {**GOOD["weights"], "kl": -1.0}}, "weights.kl: expected a finite number >= 0, found -1.0"),
        ({"weights": {**GOOD["weights"], "kl": float("inf")}}, "weights.kl: expected a finite number >= 0, found inf"),
        ({"weights": {**GOOD["weights"], "kl": float("nan")}}, "weights.kl: expected a finite number >= 0, found nan"),
        ({"epochs": 0, "semantic_start_epoch": 2}, "epochs: expected >= 1, found 0"),
        ({"warmup_epochs": 2}, "semantic_start_epoch: expected more than warmup_epochs 2, found 2"),
        ({"semantic_start_epoch": 10}, "semantic_start_epoch: expected less than epochs 10, found 10"),
    ],
)
def test_each_problem_says_what_was_expected_and_found(change: dict[str, Any], message: str) -> None:
    problems = training_problems(**{**GOOD, **change})
    assert any(problem.startswith(message) for problem in problems), problems


def test_all_problems_come_in_one_message() -> None:
    bad = {**GOOD, "latent_size": 9, "free_bits": {"vol": -1, "loc": 0.1}, "weights": {}, "warmup_epochs": 3}
    with pytest.raises(ValueError, match="training options:") as caught:
        check_training(**bad)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == [
        "  - partition",
        "  - free_bits.vol",
        "  - weights",
        "  - semantic_start_epoch",
    ]
