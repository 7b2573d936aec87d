"""Atomic writing and content hashes."""

import errno
import json
import os
from pathlib import Path

import pytest

from semivae_bundle.data.files import (
    atomic_path,
    read_record,
    sha256_of_files,
    write_json_atomically,
    write_text_atomically,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    write_text_atomically(target, "old\n")
    with pytest.raises(RuntimeError), atomic_path(target) as part:
        part.write_text("half of the new")
        raise RuntimeError
    assert target.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_file_lies_beside_the_target_and_keeps_its_suffixes(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "deep" / "scan.nii.gz") as part:
        assert part.name.endswith(".nii.gz")
        assert part.parent == tmp_path / "deep"
        part.write_bytes(b"x")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["scan.nii.gz"]


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text_atomically(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_keeps_the_order_of_keys_and_refuses_nan(tmp_path: Path) -> None:
    write_json_atomically(tmp_path / "a.json", {"z": 1, "a": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "z": 1,\n  "a": "é"\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json_atomically(tmp_path / "a.json", {"z": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["z"] == 1


def test_the_hash_follows_content_and_order_but_not_names(tmp_path: Path) -> None:
    for name, content in {"a": b"xy", "b": b"z", "copy_of_a": b"xy", "c": b"x", "d": b"yz"}.items():
        (tmp_path / name).write_bytes(content)
    digest = sha256_of_files([tmp_path / "a", tmp_path / "b"])
    assert digest == sha256_of_files([tmp_path / "copy_of_a", tmp_path / "b"])
    assert digest != sha256_of_files([tmp_path / "b", tmp_path / "a"])
    assert digest != sha256_of_files([tmp_path / "c", tmp_path / "d"])


def test_a_full_disk_is_told_with_the_file_that_it_was_too_full_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, atomic_path(tmp_path / "table.csv"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "table.csv")


@pytest.mark.parametrize("content", [b"", b"{'a': 1", b"\xff\xfe{", b"[1, 2]"])
def test_a_damaged_record_is_told_with_its_remedy(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"run.json: expected .*, found .*; infer again"):
        read_record(tmp_path / "run.json", "infer again")
    (tmp_path / "run.json").write_text('{"a": 1}')
    assert read_record(tmp_path / "run.json", "infer again") == {"a": 1}
