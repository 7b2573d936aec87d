"""Whether a result may be written where it is wanted."""

import os
from pathlib import Path

import pytest

from semivae_bundle.data.places import require_folder, require_place


@pytest.mark.parametrize("content", [b"my thesis", b"PK\x03\x04\xff", b'{"schema": "semivae-splits/1"}'])
def test_a_file_of_another_kind_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"file: expected no file there, or .* 'semivae-cohort' stands, found another"):
        require_place(file, "semivae-cohort")
    assert file.read_bytes() == content


def test_a_new_file_an_empty_one_and_one_of_the_kind_may_be_written(tmp_path: Path) -> None:
    require_place(tmp_path / "new" / "cohort.json", "semivae-cohort")
    for content in ("", '{"schema": "semivae-cohort/0"}'):
        (tmp_path / "cohort.json").write_text(content)
        require_place(tmp_path / "cohort.json", "semivae-cohort")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the name of a file to write, found a folder"):
        require_place(tmp_path, "semivae-cohort")
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="expected a folder to write to, found a file there or on the way"):
            require_folder(folder)


def test_a_folder_without_rights_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, os.strerror(13), str(tmp_path))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    with pytest.raises(ValueError, match=r"can't be written to \(Permission denied\); pass another --output_dir"):
        require_folder(tmp_path)
