"""Phantom cohorts on disk: what is written, when it is written again, what it refuses."""

import csv
import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from filelock import FileLock

from semivae_bundle.data.phantom.cohort import chosen, generate_phantoms
from semivae_bundle.data.phantom.settings import Settings, claim_folder

SMALL = {"size": 32, "spacing": 7.5, "workers": 1, "progress": False}
FILES = {"t1c.nii.gz", "t1n.nii.gz", "t2f.nii.gz", "t2w.nii.gz", "seg.nii.gz", "factors.json"}


def digests(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, by relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows_of(factors: Path) -> list[dict[str, str]]:
    """The rows of a factors.csv."""
    with factors.open(newline="") as file:
        return list(csv.DictReader(file))


def test_cohort_has_the_brats_2023_layout(phantom_dir: Path) -> None:
    name = "BraTS-PHM-00000-000"
    assert {path.name.removeprefix(f"{name}-") for path in (phantom_dir / name).iterdir()} == FILES
    image, mask = (nib.load(phantom_dir / name / f"{name}-{part}.nii.gz") for part in ("t2f", "seg"))
    assert image.get_data_dtype() == np.int16 and mask.get_data_dtype() == np.uint8
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert np.array_equal(image.affine, mask.affine)
    assert np.allclose(image.header.get_zooms(), 7.5)
    assert set(np.unique(np.asarray(mask.dataobj))) <= {0, 1, 2, 3}


def test_factors_list_every_scan_with_its_volume(phantom_dir: Path) -> None:
    rows = rows_of(phantom_dir / "factors.csv")
    assert [row["subject"] for row in rows] == [f"BraTS-PHM-{i:05d}-000" for i in range(8)]
    for row in rows:
        path = phantom_dir / row["subject"] / f"{row['subject']}-seg.nii.gz"
        assert path.exists() == (row["labelled"] == "1")
        if path.exists():
            volume = np.count_nonzero(np.asarray(nib.load(path).dataobj)) * 7.5**3
            assert np.log(volume) == pytest.approx(float(row["ln_volume"]), abs=0.08)


def test_a_quarter_unlabelled_is_two_of_eight(phantom_dir: Path) -> None:
    assert [row["labelled"] for row in rows_of(phantom_dir / "factors.csv")].count("0") == 2


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 1.0])
def test_shares_hold_in_every_prefix(share: float) -> None:
    picked = np.cumsum([chosen(i, share, seed=3, salt=0) for i in range(200)])
    assert np.abs(picked - share * np.arange(1, 201)).max() <= 1


def test_missing_modality_leaves_out_one_image(tmp_path: Path) -> None:
    rows = rows_of(generate_phantoms(tmp_path, 2, missing_modality=0.5, **SMALL))
    for row in rows:
        images = list((tmp_path / row["subject"]).glob("*-t*.nii.gz"))
        assert len(images) == (3 if row["missing_modality"] else 4)
        assert not any(path.name.endswith(f"-{row['missing_modality']}.nii.gz") for path in images)
    assert [bool(row["missing_modality"]) for row in rows].count(True) == 1


def test_the_number_of_workers_changes_no_byte(tmp_path: Path, phantom_dir: Path) -> None:
    generate_phantoms(tmp_path, 8, **SMALL | {"workers": 2}, unlabelled=0.25)
    assert digests(tmp_path) == digests(phantom_dir)


def test_a_damaged_or_missing_subject_is_made_again_and_the_others_are_kept(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 3, **SMALL)
    before = digests(tmp_path)
    folders = [tmp_path / f"BraTS-PHM-{i:05d}-000" for i in range(3)]
    whole = (folders[0] / f"{folders[0].name}-t1c.nii.gz").stat().st_mtime_ns
    truncated = folders[1] / f"{folders[1].name}-t1n.nii.gz"
    truncated.write_bytes(truncated.read_bytes()[:100])
    for path in folders[2].iterdir():
        path.unlink()
    (tmp_path / "factors.csv").unlink()
    generate_phantoms(tmp_path, 3, **SMALL)
    assert digests(tmp_path) == before
    assert (folders[0] / f"{folders[0].name}-t1c.nii.gz").stat().st_mtime_ns == whole


def test_a_larger_cohort_extends_a_smaller_one(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, **SMALL)
    first = digests(tmp_path / "BraTS-PHM-00000-000")
    factors = generate_phantoms(tmp_path, 2, **SMALL)
    assert digests(tmp_path / "BraTS-PHM-00000-000") == first
    assert len(rows_of(factors)) == 2


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, **SMALL)
    with pytest.raises(ValueError, match=r"seed: 0 there, 1 now.*another folder"):
        generate_phantoms(tmp_path, 1, seed=1, **SMALL)
    assert json.loads((tmp_path / "phantom.json").read_text())["seed"] == 0


def test_a_folder_of_anything_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "BraTS-GLI-00001-000").mkdir()
    with pytest.raises(
        ValueError, match=r"expected an empty folder or a cohort of phantoms, found BraTS-GLI-00001-000"
    ):
        generate_phantoms(tmp_path, 1, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["BraTS-GLI-00001-000"]


def test_a_cohort_that_is_gone_on_with_remembers_the_versions_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(32, 7.5, 0, "mixed", 0.0, 0.0, 1)
    for version in ("0.0.1", "0.0.2", "0.0.2"):
        monkeypatch.setattr("semivae_bundle.data.phantom.settings.__version__", version)
        claim_folder(tmp_path, settings, 1)
    record = json.loads((tmp_path / "phantom.json").read_text())
    assert (record["package_version"], record["earlier_package_versions"]) == ("0.0.2", ["0.0.1"])


def test_a_folder_that_another_process_writes_to_is_refused(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(ValueError, match="no other cohort of phantoms writes to"):
        generate_phantoms(tmp_path, 1, **SMALL)


def test_bad_settings_are_all_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"200 mm.*contrast.*unlabelled.*visits"):
        Settings(32, 1.0, 0, "loud", 1.5, 0.0, 0)


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "phantom.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"phantom.json: expected the settings .* as JSON, found .*; give another folder"
    ):
        generate_phantoms(tmp_path, 1, **SMALL)
