import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from semivae_bundle.data.problems import CohortError
from semivae_bundle.evaluation.inference_scans import find_scans


@pytest.fixture
def two_scans(phantom_dir: Path, tmp_path: Path) -> Path:
    for folder in sorted(path for path in phantom_dir.iterdir() if path.is_dir())[:2]:
        shutil.copytree(folder, tmp_path / "in" / folder.name)
    return tmp_path / "in"


def test_items_hold_the_four_files_in_channel_order(two_scans: Path) -> None:
    scans = find_scans(two_scans, workers=1, progress=False).scans
    item = scans[0].item()
    assert [Path(path).name.split("-")[-1] for path in item["image"]] == [
        f"{name}.nii.gz" for name in ("t1c", "t1n", "t2f", "t2w")
    ]
    assert "label" not in item
    assert "orientation" not in item


def test_a_damaged_scan_is_reported_and_skipped(two_scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = next(two_scans.glob("*00000-000/*-t2f.nii.gz"))
    file.write_bytes(file.read_bytes()[:200])
    found = find_scans(two_scans, workers=1, progress=False)
    assert len(found.scans) == 1
    assert found.skipped[0].problems[0].code == "unreadable_file"
    printed = capsys.readouterr().out
    assert file.name in printed
    assert "1 usable scans, 1 skipped" in printed


def test_a_bad_mask_does_not_matter(two_scans: Path) -> None:
    for mask in two_scans.glob("*/*-seg.nii.gz"):
        mask.write_bytes(b"nonsense")
    assert len(find_scans(two_scans, workers=1, progress=False).scans) == 2


def test_no_usable_scan_is_an_error(two_scans: Path) -> None:
    for file in two_scans.glob("*/*-t1c.nii.gz"):
        file.unlink()
    with pytest.raises(CohortError, match="none of 2 scans is usable"):
        find_scans(two_scans, workers=1, progress=False)


def test_the_source_changes_with_the_files_and_with_the_orientation(two_scans: Path) -> None:
    first = find_scans(two_scans, workers=1, progress=False).scans[0]
    name = first.subject.subject
    turned = find_scans(two_scans, orientation={name: "LPS"}, workers=1, progress=False).scans[0]
    assert turned.source["sha256"] == first.source["sha256"]
    assert turned.source != first.source
    assert turned.item()["orientation"] == "LPS"


def test_the_source_changes_with_the_bytes(two_scans: Path) -> None:
    before = find_scans(two_scans, workers=1, progress=False).scans
    swapped = sorted([before[0].files[0], before[1].files[0]])
    contents = [file.read_bytes() for file in swapped]
    swapped[0].write_bytes(contents[1])
    after = find_scans(two_scans, workers=1, progress=False).scans
    assert after[0].source != before[0].source
    assert after[1].source == before[1].source


def test_a_4d_file_is_one_path_with_its_channels(two_scans: Path, tmp_path: Path) -> None:
    three_d = find_scans(two_scans, workers=1, progress=False).scans[0]
    volumes = [nibabel.load(file) for file in three_d.files]
    stacked = np.stack([volume.get_fdata(dtype=np.float32) for volume in volumes], axis=-1)
    (tmp_path / "4d").mkdir()
    nibabel.save(nibabel.Nifti1Image(stacked, volumes[0].affine), tmp_path / "4d" / "p.nii.gz")
    (scan,) = find_scans(tmp_path / "4d", workers=1, progress=False).scans
    assert scan.item() == {"subject": "p", "image": str(tmp_path / "4d" / "p.nii.gz"), "channels": [0, 1, 2, 3]}


def test_axes_that_contradict_the_cohort_are_warned_about(
    phantom_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = sorted(path for path in phantom_dir.iterdir() if path.is_dir())[:4]
    for folder in folders:
        shutil.copytree(folder, tmp_path / folder.name)
    for file in (tmp_path / folders[0].name).glob("*.nii.gz"):
        image = nibabel.load(file)
        turned = image.affine @ np.diag([-1.0, -1.0, 1.0, 1.0])
        nibabel.save(nibabel.Nifti1Image(image.get_fdata(dtype=np.float32), turned), file)
    found = find_scans(tmp_path, workers=1, progress=False)
    assert [problem.subject for problem in found.warnings] == [folders[0].name]
    assert "warning  " in capsys.readouterr().out


def without(folder: Path, subject: str, *modalities: str) -> Path:
    for modality in modalities:
        next(folder.glob(f"*{subject}*/*-{modality}.nii.gz")).unlink()
    return folder


def test_a_missing_modality_skips_the_scan_and_names_the_option(
    two_scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = find_scans(without(two_scans, "00000-000", "t1n"), workers=1, progress=False)
    assert [problem.code for problem in found.skipped[0].problems] == ["missing_modality"]
    assert "--allow_missing true" in capsys.readouterr().out


def test_any_subset_is_taken_where_allowed_and_each_absence_is_said(
    two_scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without(two_scans, "00000-000", "t1n", "t2w")
    first, second = find_scans(two_scans, workers=1, progress=False, allow_missing=True).scans
    assert (first.modalities, second.modalities) == ("t1c+t2f", "t1c+t1n+t2f+t2w")
    assert first.item()["modalities"] == ["t1c", "t2f"]
    assert "modalities" not in {**second.item(), **second.source}
    said = [line for line in capsys.readouterr().out.splitlines() if "absent_modality" in line]
    assert ["one t1n image" in said[0], "one t2w image" in said[1]] == [True, True]
    assert all(first.subject.subject in line and "its channel is 0" in line for line in said)


def test_the_option_changes_nothing_of_complete_scans(two_scans: Path) -> None:
    usual = find_scans(two_scans, workers=1, progress=False)
    assert find_scans(two_scans, workers=1, progress=False, allow_missing=True) == usual


def test_a_scan_without_any_modality_is_one_clear_error(two_scans: Path) -> None:
    images = {"nobody": [None] * 4}
    with pytest.raises(CohortError, match="none of 1 scans is usable"):
        find_scans(two_scans, images, workers=1, progress=False, allow_missing=True)


def test_a_file_that_a_list_names_must_be_there_even_where_absence_is_allowed(
    two_scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {"a": ["no-t1c.nii.gz", None, None, None], "b": [None, None, str(next(two_scans.glob("*/*-t2f*"))), None]}
    found = find_scans(two_scans, images, workers=1, progress=False, allow_missing=True)
    assert [scan.modalities for scan in found.scans] == ["t2f"]
    assert "no such file" in capsys.readouterr().out


def test_a_negative_field_of_view_and_no_workers_are_refused_at_once(two_scans: Path) -> None:
    with pytest.raises(ValueError, match="fov_mm: expected three lengths"):
        find_scans(two_scans, fov_mm=[-240, 240, 240], workers=1, progress=False)
    with pytest.raises(ValueError, match="workers: expected a whole number from 1"):
        find_scans(two_scans, workers=0, progress=False)
