"""Words after a command that nobody would take."""

import pytest

from semivae_bundle.__main__ import COMMANDS, main
from semivae_bundle.command_words import check_words


@pytest.mark.parametrize(
    "line",
    [
        "phantom data --n 3 --contrast=standard --tissues",
        "phantom --output-dir data --seed -5",
        "train DIR OUT --epochs 3 --network_def#encoder#base_filters 16",
        "growth inference --log_rate [0.0,0.5] --keep_novel",
        "compare a b c --draws 99",
        "report folder --shape_r2 0.6",
        "version",
        "index -- --help",
    ],
)
def test_what_a_command_takes_passes(line: str) -> None:
    name, *words = line.split()
    check_words(name, COMMANDS[name], words)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("phantom data --n 500 --contrastt standard", r"phantom: no option --contrastt \(did you mean --contrast\?\)"),
        ("growth inference --log_rat [3,0.1]", r"growth: no option --log_rat \(did you mean --log_rate"),
        ("compare a b --draw 99", r"compare: no option --draw \(did you mean --draws"),
        ("train DIR OUT tiny seed=3 --epochs 1", "train: expected at most dataset_dir and .*, found also 'seed=3'"),
        ("version now", "version: expected no word, found also 'now'"),
    ],
)
def test_what_it_does_not_take_is_named_before_it_runs(
    line: str, expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, *words = line.split()
    with pytest.raises(ValueError, match=expected):
        check_words(name, COMMANDS[name], words)
    ran: list[str] = []
    monkeypatch.setitem(COMMANDS, name, COMMANDS[name])
    monkeypatch.setattr("fire.Fire", lambda *_, **__: ran.append(name))
    with pytest.raises(SystemExit) as leaving:
        main(line.split())
    assert (leaving.value.code, ran) == (2, [])
    assert capsys.readouterr().err.startswith(f"semivae_bundle: {name}: ")


def test_the_last_line_of_a_traceback_says_what_went_wrong_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise RuntimeError("Failed to instantiate component") from error

    monkeypatch.setitem(COMMANDS, "version", broken)
    with pytest.raises(SystemExit) as leaving:
        main(["version"])
    printed = capsys.readouterr().err
    assert leaving.value.code == 1
    assert "Traceback" in printed
    assert printed.splitlines()[-1] == "semivae_bundle: KeyError: 'the cause'"


def test_a_misspelt_command_is_told_with_those_that_are_near(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["trian", "DIR"])
    assert "expected a command, found 'trian' (did you mean train?); there are phantom, " in capsys.readouterr().err
