"""Finding subjects in the layouts that people have."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from semivae_bundle.data.checks import inspect_subject
from semivae_bundle.data.layouts import find_subjects, say_unclaimed, unclaimed_files
from semivae_bundle.data.problems import CohortError

UP_TO_2021 = {"t1c": "t1ce", "t1n": "t1", "t2f": "flair", "t2w": "t2", "seg": "seg"}
MSD = {
    "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
    "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
    "training": [{"image": "./imagesTr/BRATS_001.nii.gz", "label": "./labelsTr/BRATS_001.nii.gz"}],
    "test": ["./imagesTs/BRATS_002.nii.gz"],
}


def paths(subject) -> dict[str, list[str]]:
    return {modality: [ref.path for ref in refs] for modality, refs in subject.images.items()}


def test_brats_up_to_2021_names_are_understood(save_scan, scan_of) -> None:
    files = {UP_TO_2021[kind]: data for kind, data in scan_of().items()}
    folder = save_scan("BraTS20_Training_001", files, "deep/{name}/{name}_{kind}.nii")
    (subject,) = find_subjects(folder)
    assert subject.patient == "BraTS20_Training_001"
    start = "deep/BraTS20_Training_001/BraTS20_Training_001"
    assert paths(subject) == {kind: [f"{start}_{UP_TO_2021[kind]}.nii"] for kind in ("t1c", "t1n", "t2f", "t2w")}
    assert subject.segs == (f"{start}_seg.nii",)


def test_layouts_may_lie_mixed_and_nested_and_masks_apart(save_scan, scan_of) -> None:
    save_scan("BraTS-GLI-00001-000", pattern="new/{name}/{name}-{kind}.nii.gz")
    save_scan("flat", {UP_TO_2021[kind]: data for kind, data in scan_of().items()}, "old/{name}_{kind}.nii.gz")
    save_scan("apart", {"seg": scan_of()["seg"]}, "masks/{name}-{kind}.nii.gz")
    folder = save_scan("apart", pattern="images/{name}-{kind}.nii.gz", without=["seg"])
    found = find_subjects(folder)
    assert [subject.subject for subject in found] == ["BraTS-GLI-00001-000", "apart", "flat"]
    assert [len(subject.segs) for subject in found] == [1, 1, 1]
    assert found[1].segs == ("masks/apart-seg.nii.gz",)


def test_hidden_files_and_tables_that_are_no_manifest_are_ignored(save_scan) -> None:
    folder = save_scan("A")
    (folder / "A" / "._A-t1c.nii.gz").write_bytes(b"macOS")
    (folder / ".A-half" / "A-t1c.nii.gz").parent.mkdir()
    (folder / ".A-half" / "A-t1c.nii.gz").write_bytes(b"")
    (folder / "factors.csv").write_text("subject,volume\nB,3\n")
    (subject,) = find_subjects(folder)
    assert {modality: len(refs) for modality, refs in subject.images.items()} == dict.fromkeys(subject.images, 1)


def test_a_linked_folder_is_followed_once(save_scan, tmp_path: Path) -> None:
    folder = save_scan("A", pattern="store/{name}/{name}-{kind}.nii.gz") / "linked"
    folder.mkdir()
    (folder / "A").symlink_to(tmp_path / "store" / "A")
    (folder / "loop").symlink_to(folder)
    assert [len(refs) for refs in find_subjects(folder)[0].images.values()] == [1, 1, 1, 1]


def save_decathlon(folder: Path, scan, save_file: Callable[..., Path], description: dict) -> None:
    four = np.stack([scan[kind] for kind in ("t2f", "t1n", "t1c", "t2w")], axis=-1)
    save_file(folder / "imagesTr" / "BRATS_001.nii.gz", four)
    save_file(folder / "labelsTr" / "BRATS_001.nii.gz", scan["seg"])
    save_file(folder / "imagesTs" / "BRATS_002.nii.gz", four + (four > 0).astype(np.int16))
    (folder / "dataset.json").write_text(json.dumps(description))


def test_decathlon_channels_and_labels_are_read_from_dataset_json(tmp_path: Path, scan_of, save_file) -> None:
    save_decathlon(tmp_path / "Task01_BrainTumour", scan_of(), save_file, MSD)
    labelled, unlabelled = (inspect_subject(found, tmp_path) for found in find_subjects(tmp_path))
    assert labelled.problems == unlabelled.problems == ()
    assert labelled.subject is not None and unlabelled.subject is not None
    assert {kind: ref.channel for kind, ref in labelled.subject.images.items()} == {
        "t1c": 2,
        "t1n": 1,
        "t2f": 0,
        "t2w": 3,
    }
    assert labelled.subject.label_map == {0: 0, 1: 2, 2: 1, 3: 3}
    assert labelled.subject.seg == "Task01_BrainTumour/labelsTr/BRATS_001.nii.gz"
    assert unlabelled.subject.seg is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modality": {"0": "CT"}}, "CT"),
        ({"labels": {"0": "background", "1": "liver"}}, "None"),
        ({"training": [{"image": "a"}]}, "label"),
    ],
)
def test_an_unusable_dataset_json_is_a_problem_of_its_own(tmp_path: Path, scan_of, save_file, change, words) -> None:
    save_decathlon(tmp_path, scan_of(), save_file, MSD | change)
    (found,) = find_subjects(tmp_path)
    inspection = inspect_subject(found, tmp_path)
    assert [problem.code for problem in inspection.problems] == ["invalid_dataset_json"]
    assert words in inspection.problems[0].found
    (tmp_path / "dataset.json").write_text("{")
    assert find_subjects(tmp_path)[0].problems[0].code == "invalid_dataset_json"


def test_a_dataset_json_of_another_tool_is_left_alone(save_scan) -> None:
    folder = save_scan("A")
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1"}}))
    assert [subject.subject for subject in find_subjects(folder)] == ["A"]


def test_two_subjects_of_one_name_are_one_problem(tmp_path: Path, scan_of, save_file) -> None:
    save_decathlon(tmp_path / "one", scan_of(), save_file, MSD)
    save_decathlon(tmp_path / "two", scan_of(1), save_file, MSD)
    for found in find_subjects(tmp_path):
        inspection = inspect_subject(found, tmp_path)
        assert inspection.subject is None
        assert [problem.code for problem in inspection.problems] == ["duplicate_name"]
        assert "one/" in inspection.problems[0].found and "two/" in inspection.problems[0].found


def test_a_missing_folder_says_how_to_make_a_phantom_cohort(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", "", None):
        with pytest.raises(FileNotFoundError, match=r"--dataset_dir.*semivae_bundle phantom --output_dir"):
            find_subjects(folder)  # type: ignore[arg-type]


def test_a_folder_without_subjects_lists_the_layouts_and_what_it_holds(tmp_path: Path, save_file) -> None:
    save_file(tmp_path / "x" / "brain.nii.gz", np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(
        CohortError, match=r"1 NIfTI files, such as \['brain.nii.gz'\](?s:.*)dataset.json(?s:.*)manifest"
    ):
        find_subjects(tmp_path)


def test_a_file_that_begins_with_a_subject_s_name_is_its_stranger_beside_others(tmp_path: Path) -> None:
    for name in ("P1", "P1_2"):
        for kind in ("t1c", "t1n", "t2f", "t2w"):
            (tmp_path / f"{name}_{kind}.nii.gz").touch()
    for name in ("P1_mask", "P1_2_mask", "P9_mask"):
        (tmp_path / f"{name}.nii.gz").touch()
    found = {one.subject: one.strangers for one in find_subjects(tmp_path)}
    assert found == {"P1": ("P1_mask.nii.gz",), "P1_2": ("P1_2_mask.nii.gz",)}


def test_files_that_no_subject_claims_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("t1c", "t1n", "t2f", "t2w", "seg", "mask"):
        (tmp_path / f"P1_{kind}.nii.gz").touch()
    (tmp_path / "P9").mkdir()
    for name in ("T1.nii.gz", "brain.nii", "notes.txt"):
        (tmp_path / "P9" / name).touch()
    unclaimed = unclaimed_files(tmp_path, find_subjects(tmp_path))
    assert unclaimed == ["P9/T1.nii.gz", "P9/brain.nii"]
    say_unclaimed(tmp_path, unclaimed)
    assert "2 NIfTI files belong to no subject by their names and are left out: P9/T1" in capsys.readouterr().out
    say_unclaimed(tmp_path, [])
    assert capsys.readouterr().out == ""


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As for a person without rights, whoever runs the test."""
    scandir = os.scandir

    def refuse(path):
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_folder_that_cannot_be_listed_is_a_problem_and_not_passed_over(save_scan, monkeypatch) -> None:
    save_scan("A")
    folder = save_scan("B")
    closed(monkeypatch, folder / "B")
    sound, shut = (inspect_subject(found, folder) for found in find_subjects(folder))
    assert sound.subject is not None
    assert (shut.name, shut.subject) == ("B", None)
    (problem,) = shut.problems
    assert str(problem).startswith("B: B: unreadable_folder: expected a folder whose files can be listed, found Perm")


def test_a_dataset_that_cannot_be_listed_says_so_and_lists_no_layouts(save_scan, monkeypatch) -> None:
    folder = save_scan("A")
    closed(monkeypatch, folder)
    with pytest.raises(CohortError, match=r"expected a folder that you may read, found .*Permission denied; grant"):
        find_subjects(folder)
