import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from semivae_bundle.evaluation.report_page import recorded_targets
from semivae_bundle.evaluation.verdict_targets import VerdictTargets, targets_from

EVALUATE = Path(__file__).parents[2] / "configs" / "evaluate.json"


@pytest.mark.parametrize("value", ["0.8", None, True, float("nan")])
def test_a_target_must_be_a_number(value: object, targets: VerdictTargets) -> None:
    with pytest.raises(ValueError, match=r"verdict_targets: volume_r2: expected a finite number, found"):
        replace(targets, volume_r2=value)  # type: ignore[arg-type]


def test_a_misspelt_target_is_named(targets: VerdictTargets) -> None:
    with pytest.raises(ValueError, match=r"too many or missing: \['shape_r3'\]"):
        targets_from({**asdict(targets), "shape_r3": 0.5})


def test_an_evaluation_without_targets_is_judged_by_those_of_the_config() -> None:
    config = json.loads(EVALUATE.read_text())["verdict_targets"]
    found = recorded_targets({}, EVALUATE)
    assert asdict(targets_from(found)) == {name: value for name, value in config.items() if name != "_target_"}
    assert recorded_targets({"verdict_targets": {"dice": 0.9}}, EVALUATE) == {"dice": 0.9}
