"""Options are checked before the first subject is read, all at once."""

from pathlib import Path
from typing import Any

import pytest

from semivae_bundle.__main__ import main
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
    "batch_size": 4,
    "val_interval": 1,
    "loader_workers": 0,
    "learning_rate": 0.002,
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
        ({"epochs": 0}, "epochs: expected a whole number >= 1, found 0"),
        ({"epochs": 1.5}, "epochs: expected a whole number >= 1, found 1.5"),
        ({"batch_size": 0}, "batch_size: expected a whole number >= 1, found 0"),
        ({"batch_size": 2.5}, "batch_size: expected a whole number >= 1, found 2.5"),
        ({"batch_size": True}, "batch_size: expected a whole number >= 1, found no value"),
        ({"loader_workers": -1}, "loader_workers: expected a whole number >= 0, found -1"),
        ({"val_interval": 0}, "val_interval: expected a whole number >= 1, found 0"),
        ({"val_interval": 11}, "val_interval: expected at most epochs 10, found 11; the network would never be"),
        ({"learning_rate": -1}, "learning_rate: expected a number > 0, found -1"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a number > 0, found nan"),
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


@pytest.mark.parametrize("epochs", [0, -3, 2.5, True])
def test_what_only_follows_from_a_wrong_number_of_epochs_is_left_unsaid(epochs: object) -> None:
    assert len(training_problems(**{**GOOD, "epochs": epochs, "val_interval": 5})) == 1


def test_a_training_is_refused_in_a_line_before_its_parts_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"batch_size": "0", "learning_rate": "-1", "val_interval": "0", "loader_workers": "-1"}.items():
        with pytest.raises(SystemExit):
            main(["train", str(tmp_path), "--output_dir", str(tmp_path), f"--{name}", value])
        said = capsys.readouterr().err
        assert f"  - {name}: expected a" in said
        assert "Traceback" not in said
