"""A run of the bundle in a process of its own."""

import json
from pathlib import Path

import pytest
import torch

from semivae_bundle.evaluation.bundle_process import refuse_other_options, run_bundle, shared_files, visible_devices

VISIBLE = "$print('device:', __import__('os').environ['CUDA_VISIBLE_DEVICES'])"
CONFIG = {"shown": None, "telling": ["$print('shown:', @shown)", VISIBLE, "$1 / 0"]}


def test_options_and_device_reach_the_run_its_log_what_it_prints_and_a_failure_says_where(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    log, options = tmp_path / "new" / "run.log", {"shown": {"vol": ["vol_total"]}, "output_dir": "out"}
    with pytest.raises(ChildProcessError, match=r"telling in out: expected exit code 0, found 1; .* is in .*run.log"):
        run_bundle("telling", [tmp_path / "config.json"], options, device="3", log=log)
    said = log.read_text()
    assert "shown: {'vol': ['vol_total']}" in said
    assert "device: 3" in said
    assert "ZeroDivisionError" in said


def test_what_a_user_can_repair_in_a_run_is_a_line_of_its_log(tmp_path: Path) -> None:
    check = {"_target_": "semivae_bundle.data.flags.read_flags", "progress": "perhaps"}
    (tmp_path / "config.json").write_text(json.dumps({"check": check, "telling": ["@check"]}))
    with pytest.raises(ChildProcessError, match="expected exit code 0, found 2"):
        run_bundle("telling", [tmp_path / "config.json"], {}, log=tmp_path / "run.log")
    said = (tmp_path / "run.log").read_text()
    assert said.splitlines()[-1].startswith("semivae_bundle: progress: expected true or false, found 'perhaps'")
    assert "Traceback" not in said


@pytest.mark.parametrize(("listed", "expected"), [(None, ["0", "1"]), ("5,7", ["5", "7"])])
def test_devices_are_called_as_the_environment_calls_them(listed, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert visible_devices() == expected


def test_without_cuda_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert visible_devices() == []


def test_a_folder_remembers_what_it_was_run_with(tmp_path: Path) -> None:
    options = {"epochs": 1, **shared_files(tmp_path)}
    for _ in range(2):
        refuse_other_options(tmp_path / "a" / "options.json", options)
    with pytest.raises(
        ValueError, match=r"a: was run with other options, \(then, now\) {'epochs': \(1, 2\)}; remove it"
    ):
        refuse_other_options(tmp_path / "a" / "options.json", {**options, "epochs": 2})


def test_a_folder_may_be_moved_with_its_runs_and_what_they_share(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    options = {"dataset_dir": tmp_path / "scans", "epochs": 1}
    refuse_other_options(here / "t1c" / "options.json", {**options, **shared_files(here / "shared")})
    here.rename(there)
    refuse_other_options(there / "t1c" / "options.json", {**options, **shared_files(there / "shared")})
    with pytest.raises(ValueError, match=r"t1c: was run with other options, .*'shared/cohort.json'"):
        refuse_other_options(there / "t1c" / "options.json", {**options, **shared_files(tmp_path)})
