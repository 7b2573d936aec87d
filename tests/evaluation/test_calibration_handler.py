from dataclasses import replace
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from ignite.engine import Engine

from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.calibration_handler import CalibrationReport, calibration_table
from semivae_bundle.evaluation.results import Results
from semivae_bundle.evaluation.scan_scores import SCORES
from semivae_bundle.features.normalizer import Normalizer


@pytest.fixture
def handler(normalizer: Normalizer, tmp_path: Path) -> CalibrationReport:
    normalizer.to_json(tmp_path / "normalizer.json")
    return CalibrationReport(
        calibration_file=tmp_path / "calibration.json",
        normalizer_file=tmp_path / "normalizer.json",
        normalizer=normalizer,
        patients={},
        provenance={"split": "validation"},
        level=0.9,
        difficulty={"vol": 0.0, "loc": 0.0, "shape": 0.0},
        false_alarm_rate=0.05,
        seed=0,
    )


@pytest.fixture
def scored(results: Results) -> Results:
    """40 scans of as many patients, with the scores that a gate needs."""
    rng = np.random.default_rng(3)
    scores = results.scores.assign(**{name: np.exp(rng.normal(size=40)) for name in SCORES})
    return replace(results, scores=scores, patients=results.subjects)


def test_unlabelled_scans_count_for_the_gate_and_not_for_the_intervals(
    handler: CalibrationReport, scored: Results
) -> None:
    found = handler.fit(scored)
    assert found.features[0].scans == 30
    assert found.novelty is not None
    assert found.novelty.fitted_scans + len(found.novelty.calibration) == 40
    assert [scale.name for scale in found.novelty.scales] == ["latent_distance", *SCORES]


def test_too_few_patients_for_a_gate_leave_the_intervals_and_a_reason(
    handler: CalibrationReport, scored: Results
) -> None:
    found = handler.fit(replace(scored, patients=tuple(f"{i // 2}" for i in range(40))))
    assert found.novelty is None
    assert found.novelty_reason is not None
    assert "at least 38 patients for a false-alarm rate of 0.05, found 20" in found.novelty_reason
    assert found.features[0].quantile is not None


def test_a_fit_survives_the_file_and_its_gate_judges_the_same(handler: CalibrationReport, scored: Results) -> None:
    found = handler.fit(scored)
    found.to_json(handler.calibration_file)
    read = Calibration.from_json(handler.calibration_file)
    assert read == found
    assert read.novelty is not None
    assert found.novelty is not None
    scores = {name: 1.0 for name in SCORES}
    assert read.novelty.judge(scored.mean[0], scores) == found.novelty.judge(scored.mean[0], scores)


def test_the_table_shows_widths_gaps_and_the_gate(
    handler: CalibrationReport, scored: Results, calibration: Calibration
) -> None:
    text = calibration_table(handler.fit(scored))
    assert text.startswith("validation: 90% intervals")
    assert "novelty gate: false alarms at most 5%, fitted on 20 scans, ranked against 20" in text
    without = calibration_table(calibration)
    assert "no interval for loc_x_total: few" in without
    assert without.endswith("no novelty gate: few")


def test_weights_are_not_replaced_and_that_is_said_before_the_first_scan(handler: CalibrationReport) -> None:
    handler.calibration_file = handler.calibration_file.with_name("model.pt")
    handler.calibration_file.write_bytes(b"weights")
    with pytest.raises(ValueError, match=r"model\.pt: expected no file there, .*'semivae-calibration' stands"):
        handler.start(Engine(lambda *_: None))
    assert handler.calibration_file.read_bytes() == b"weights"


@pytest.mark.parametrize("option", ["level", "false_alarm_rate"])
def test_percent_are_refused_before_the_first_scan(handler: CalibrationReport, option: str) -> None:
    with pytest.raises(ValueError, match=rf"--\w*{option}: expected a probability above 0 and below 1, found 90"):
        CalibrationReport(
            **{name: getattr(handler, name) for name in signature(CalibrationReport).parameters} | {option: 90}
        )
