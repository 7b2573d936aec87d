"""Files that are still those which were checked, and others."""

import os
from pathlib import Path

import pytest

from semivae_bundle.data import file_states
from semivae_bundle.data.file_states import FileState, replaced_files


@pytest.fixture
def states(tmp_path: Path) -> dict[str, FileState]:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    return {name: file_states._state(tmp_path / name) for name in "ab"}


def test_other_content_is_found_whatever_its_length(tmp_path: Path, states: dict[str, FileState]) -> None:
    (tmp_path / "a").write_bytes(b"longer")
    (tmp_path / "b").write_bytes(b"owt")
    os.utime(tmp_path / "b", ns=(0, 0))
    assert replaced_files(tmp_path, states) == ["a", "b"]


def test_a_copy_with_another_time_is_the_same(tmp_path: Path, states: dict[str, FileState]) -> None:
    os.utime(tmp_path / "a", ns=(0, 0))
    assert replaced_files(tmp_path, states) == []


def test_a_file_of_the_same_time_and_size_is_not_read_again(tmp_path: Path, states, monkeypatch) -> None:
    monkeypatch.setattr(file_states, "sha256_of_file", lambda path: pytest.fail("read"))
    assert replaced_files(tmp_path, states) == []


def test_what_is_away_is_not_called_replaced(tmp_path: Path, states: dict[str, FileState]) -> None:
    (tmp_path / "a").unlink()
    assert replaced_files(tmp_path, states) == []
