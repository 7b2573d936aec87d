"""What a command ends in."""

import logging

import pytest
from ignite.engine import Engine
from monai.engines import SupervisedTrainer

from semivae_bundle.command_errors import ENGINES, ending_in_a_line
from semivae_bundle.data.flags import read_flags


def test_what_the_user_can_repair_is_a_line_and_a_defect_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as leaving, ending_in_a_line():
        read_flags(progress="perhaps")
    said = capsys.readouterr().err
    assert (leaving.value.code, len(said.splitlines())) == (2, 1)
    with pytest.raises(SystemExit) as leaving, ending_in_a_line():
        int("x")
    said = capsys.readouterr().err
    assert leaving.value.code == 1
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].startswith("semivae_bundle: ValueError: invalid literal")


def test_what_an_engine_ends_in_is_not_told_by_it_too(caplog: pytest.LogCaptureFixture) -> None:
    def failing(engine: Engine, batch: object) -> None:
        raise FloatingPointError("not finite")

    engine = Engine(failing)
    engine.logger = logging.getLogger(f"ignite.engine.engine.{SupervisedTrainer.__name__}")
    assert SupervisedTrainer.__name__ in ENGINES
    with pytest.raises(SystemExit), ending_in_a_line():
        engine.run([0])
    assert not [record.message for record in caplog.records if record.levelno >= logging.WARNING]
