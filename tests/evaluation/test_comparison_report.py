import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from semivae_bundle.__main__ import main
from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.evaluation.predictions import predictions_table
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer


def write_run(folder: Path, results: Results, normalizer: Normalizer, partition: dict[str, int]) -> Path:
    """What `compare` reads of an evaluation."""
    folder.mkdir(parents=True)
    predictions_table(results, normalizer, partition).to_csv(folder / "predictions.csv")
    report = {
        "provenance": {"split": "test", "checkpoint": {"file": "model.pt", "sha256": "f" * 64}},
        "intervals": {"level": 0.95, "resamples": 100, "seed": 0},
        "features": {scale.column: {"partition": scale.partition} for scale in normalizer.scales},
    }
    write_json_atomically(folder / "metrics.json", report)
    return folder


@pytest.fixture
def runs(tmp_path: Path, results: Results, normalizer: Normalizer, partition: dict[str, int]) -> tuple[str, str]:
    """A run, and one whose errors are four times as large."""
    worse = replace(results, predicted=results.target + 4 * (results.predicted - results.target))
    folders = [write_run(tmp_path / name, one, normalizer, partition) for name, one in (("a", results), ("b", worse))]
    return str(folders[0]), str(folders[1])


def test_the_command_writes_a_table_a_page_and_a_figure(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compare", "--first", runs[0], "--second", runs[1], "--output_dir", str(tmp_path / "c"), "--draws", "199"])
    assert "The first is better in vol_total, loc_x_total, surface_total." in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "c").iterdir()} == {"comparison.csv", "comparison.md", "comparison.png"}
    rows = list(csv.DictReader((tmp_path / "c" / "comparison.csv").read_text().splitlines()))
    assert [row["level"] for row in rows] == ["feature"] * 3 + ["partition"] * 3
    assert [row["better"] for row in rows] == ["first"] * 6
    assert all(float(row["r2_high"]) < 0 < float(row["mae_low"]) for row in rows)


def test_the_other_way_round_the_second_is_better(runs: tuple[str, str]) -> None:
    main(["compare", runs[1], runs[0], "--draws", "99"])
    page = (Path(runs[0]) / "comparison" / "comparison.md").read_text()
    assert "The second is better in vol_total, loc_x_total, surface_total." in page
    assert "The first is better in no feature." in page
    assert "nan" not in page


def test_a_folder_without_an_evaluation_is_named(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["compare", runs[0], str(tmp_path / "none")])
    assert "expected metrics.json and predictions.csv" in capsys.readouterr().err


def test_a_rate_that_is_no_share_is_refused(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", *runs, "--false_discovery_rate", "5"])
    assert "a false_discovery_rate between 0 and 1, found 9999 and 5" in capsys.readouterr().err


def test_a_run_is_not_compared_with_itself(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", runs[0], f"{runs[1]}/../a"])
    assert "compare: expected two runs, found the folder" in capsys.readouterr().err


def test_a_run_is_not_compared_with_its_copy(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(runs[0], tmp_path / "copy")
    with pytest.raises(SystemExit):
        main(["compare", runs[0], str(copy)])
    assert "compare: expected two runs, found the same predictions in" in capsys.readouterr().err
    assert not (copy / "comparison").exists()


@pytest.mark.parametrize("draws", ["abc", "0", "2.5"])
def test_draws_are_a_whole_number(runs: tuple[str, str], draws: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", *runs, "--draws", draws])
    assert "compare: expected draws, a whole number >= 1, and" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metrics.json", "{", "metrics.json: expected JSON, found "),
        ("predictions.csv", "", "predictions.csv: expected a table, found "),
        ("predictions.csv", "a,b\n1,2\n", "predictions.csv: expected a column subject, found ['a', 'b']"),
    ],
)
def test_what_is_damaged_of_a_run_is_named(
    runs: tuple[str, str], name: str, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(runs[1]) / name).write_text(content)
    with pytest.raises(SystemExit):
        main(["compare", *runs])
    printed = capsys.readouterr().err
    assert said in printed
    assert "it is damaged or was edited: evaluate again" in printed
    assert "Traceback" not in printed
