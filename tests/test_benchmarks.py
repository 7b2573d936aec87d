"""scripts/benchmark.py: every table is printed and its figures are possible."""

from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmarks import scans

    return scans


def test_preprocessing_is_timed_beside_a_plain_chain(
    scans: ModuleType, phantom_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans.preprocess(dataset_dir=str(phantom_dir), roi=16, subjects=1, repeats=1)
    ours, plain, ratio = capsys.readouterr().out.splitlines()[-3:]
    medians = [
        float(line.removeprefix(name).split()[2])
        for line, name in ((ours, "this bundle"), (plain, "plain MONAI chain"))
    ]
    assert min(medians) > 0
    assert float(ratio.split()[4].rstrip(";")) == pytest.approx(medians[0] / medians[1], rel=0.2)


def test_the_loader_is_timed_with_and_without_augmentation_and_processes(
    scans: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    scans.loader(roi=32, subjects=6, epochs=1, workers=(0, 1))
    rows = [line.split()[-3:] for line in capsys.readouterr().out.splitlines()[-4:]]
    assert [int(processes) for processes, _, _ in rows] == [0, 1, 0, 1]
    for _, scans_per_second, seconds_per_batch in rows:
        assert float(seconds_per_batch) == pytest.approx(2 / float(scans_per_second), abs=6e-4, rel=0.02)


def test_a_step_is_timed_and_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmarks.step import step

    step(roi=32, repeats=1, recipe="demo")
    printed = capsys.readouterr().out
    gflop = float(printed.split("arithmetic of a step")[1].split()[0])
    assert 1 < gflop < 100
    assert "step / matrix product" in printed
