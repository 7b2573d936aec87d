import ast
import shlex
from pathlib import Path
from typing import Any

import pytest
from fire.parser import DefaultParseValue

from semivae_bundle.bundle_run import check_options
from semivae_bundle.evaluation.reproduction import evaluate_command

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def report() -> dict[str, Any]:
    return {
        "provenance": {
            "split": "it's",
            "seed": 3,
            "settings": {"roi_size": [32, 32, 32], "partition": {"vol": 4, "loc": 2}, "residualise": {}, "bf16": False},
        },
        "intervals": {"level": 0.95, "resamples": 50},
        "independence": {"permutations": 5},
        "verdict_targets": {"dice": 0.7},
    }


def given(report: dict[str, Any]) -> dict[str, str]:
    words = [word for word in shlex.split(evaluate_command(report).replace("\\\n", " ")) if "=" in word]
    return dict(word.removeprefix("--").split("=", 1) for word in words)


def test_the_command_gives_back_what_the_result_depends_on(report: dict[str, Any]) -> None:
    options = given(report)
    assert options["evaluate_split"] == "it's"
    assert ast.literal_eval(options["partition"]) == {"vol": 4, "loc": 2}
    assert (options["seed"], options["amp"], options["intervals#permutations"]) == ("3", "false", "5")
    assert options["verdict_targets#dice"] == "0.7"


def test_every_option_of_the_command_exists(report: dict[str, Any]) -> None:
    options = {name: DefaultParseValue(value) for name, value in given(report).items()}
    check_options(options, [str(CONFIGS / name) for name in ("train.json", "evaluate.json")])


def test_what_is_not_known_is_left_out(report: dict[str, Any]) -> None:
    report["provenance"] = {}
    assert "evaluate_split" not in given(report)
