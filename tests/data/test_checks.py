"""One broken scan per kind of problem."""

import errno
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from monai.transforms import Compose

from semivae_bundle.data.checks import Inspection, inspect_subject
from semivae_bundle.data.layouts import find_subjects
from semivae_bundle.data.subjects import FoundSubject
from semivae_bundle.data.transforms import image_transforms

Damage = Callable[[Path], None]


def change(kind: str, edit: Callable[[np.ndarray], np.ndarray], affine: np.ndarray | None = None) -> Damage:
    """Damage that edits the voxels of one file."""

    def damage(folder: Path) -> None:
        path = folder / "A" / f"A-{kind}.nii.gz"
        image = nibabel.load(path)
        data = edit(np.array(image.dataobj))
        nibabel.save(nibabel.Nifti1Image(data, image.affine if affine is None else affine), path)

    return damage


def truncate(kind: str, keep: float) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "A" / f"A-{kind}.nii.gz"
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)] if keep < 1 else content[:-8])

    return damage


def copy(source: str, target: str) -> Damage:
    return lambda folder: (folder / "A" / target).write_bytes((folder / "A" / source).read_bytes()) and None


def put(value: float, dtype: type = np.float32) -> Callable[[np.ndarray], np.ndarray]:
    """One voxel of the tumour gets another value."""

    def edit(data: np.ndarray) -> np.ndarray:
        data = data.astype(dtype)
        data[6, 4, 6] = value
        return data

    return edit


def remove(name: str) -> Damage:
    return lambda folder: (folder / "A" / name).unlink()


def garble(folder: Path) -> None:
    (folder / "A" / "A-t1n.nii.gz").write_bytes(b"not a gzip file")


def uncompressed_copy(folder: Path) -> None:
    nibabel.save(nibabel.load(folder / "A" / "A-t1c.nii.gz"), folder / "A" / "A-t1c.nii")


def flatten_header(folder: Path) -> None:
    image = nibabel.load(folder / "A" / "A-t1c.nii.gz")
    image.header["srow_z"] = 0
    # Given an affine, nibabel would mend the header from it.
    plain = nibabel.Nifti1Image(np.asarray(image.dataobj), None, image.header)
    nibabel.save(plain, folder / "A" / "A-t1c.nii.gz")


OTHER_AFFINE = np.diag([-12.0, -12, 12.002, 1]) + np.array([[0, 0, 0, 0], [0, 0, 0, 180], [0, 0, 0, 0], [0, 0, 0, 0]])

KINDS: dict[str, tuple[Damage, str, str]] = {
    "missing modality": (remove("A-t2w.nii.gz"), "missing_modality", "one t2w image.*t1c, t1n, t2f"),
    "a modality twice, .nii and .nii.gz": (uncompressed_copy, "duplicate_modality", r"2: A/A-t1c.nii, A/A-t1c.nii.gz"),
    "two masks": (copy("A-seg.nii.gz", "A_seg.nii.gz"), "duplicate_mask", "A/A_seg.nii.gz"),
    "cut-off gzip": (truncate("t1c", 0.5), "unreadable_file", "complete NIfTI.*EOFError.*again"),
    "gzip without its checksum": (truncate("t1c", 1), "unreadable_file", "EOFError"),
    "cut-off mask": (truncate("seg", 0.5), "unreadable_file", "A/A-seg"),
    "empty file": (truncate("t2f", 0), "unreadable_file", "A/A-t2f"),
    "something else under the name": (garble, "unreadable_file", "BadGzipFile"),
    "complex voxels": (change("t1c", lambda d: d.astype(np.complex64)), "unreadable_file", "complex64"),
    "four dimensions": (change("t1c", lambda d: d[..., None].repeat(2, 3)), "wrong_dimensions", r"\(16, 16, 16, 2\)"),
    "a slice": (change("t1c", lambda d: d[:, :, 8:9]), "thin_volume", r"\(16, 16, 1\)"),
    "no third axis": (flatten_header, "invalid_header", "positive spacing"),
    "another shape": (change("t2w", lambda d: d[:-1]), "grid_mismatch", r"A-t2w.*\(16, 16, 16\).*\(15, 16, 16\)"),
    "another affine": (change("t2w", lambda d: d, OTHER_AFFINE), "grid_mismatch", r"A-t2w.*by up to 0.002"),
    "mask on another grid": (change("seg", lambda d: d, OTHER_AFFINE), "grid_mismatch", "A-seg.*nearest neighbour"),
    "NaN": (change("t1n", put(np.nan)), "not_finite", "1 of 4096 voxels"),
    "infinity": (change("t1n", put(np.inf)), "not_finite", "1 of 4096 voxels"),
    "NaN in the mask": (change("seg", put(np.nan)), "not_finite", "A-seg.*1 voxels"),
    "all zero": (change("t1n", np.zeros_like), "constant_image", "every voxel 0"),
    "a brain mask for an image": (change("t1n", lambda d: (d > 0) * 7.0), "constant_image", "0 or 7"),
    "the mask for an image": (copy("A-seg.nii.gz", "A-t1n.nii.gz"), "mask_as_image", r"A-t1n.*no values but 1, 2, 3;"),
    "one image twice": (copy("A-t1c.nii.gz", "A-t1n.nii.gz"), "duplicate_image", "t1c and t1n.*identical to A/A-t1c"),
    "interpolated mask": (change("seg", put(1.5)), "fractional_labels", "1.5.*nearest neighbour"),
    "negative label": (change("seg", put(-1, np.int16)), "negative_labels", "-1"),
    "unknown label": (change("seg", put(7, np.uint8)), "unknown_labels", "0, 1, 2 and 3.*found 7"),
    "labels 3 and 4": (change("seg", put(4, np.uint8)), "labels_3_and_4", "3 and 4"),
    "empty mask": (change("seg", np.zeros_like), "empty_mask", "delete the mask"),
    "mask elsewhere": (
        change("seg", lambda d: np.roll(d, 10, axis=1)),
        "mask_outside_brain",
        r"at most 5%.*75% \(48 of 64",
    ),
}


def inspect(folder: Path) -> Inspection:
    (found,) = find_subjects(folder)
    return inspect_subject(found, folder)


def test_a_sound_scan_is_a_subject_without_problems(save_scan) -> None:
    inspection = inspect(save_scan("A"))
    assert inspection.problems == ()
    assert inspection.subject is not None
    assert inspection.subject.seg == "A/A-seg.nii.gz"
    assert inspection.subject.label_map == {0: 0, 1: 1, 2: 2, 3: 3}


def test_a_mask_of_the_whole_tumour_is_a_warning(save_scan) -> None:
    folder = save_scan("A")
    change("seg", lambda data: (data > 0).astype(np.uint8))(folder)
    inspection = inspect(folder)
    (problem,) = inspection.problems
    assert problem.code == "one_label" and problem.is_warning and inspection.subject is not None
    assert "measured as necrotic core; if it outlines the whole tumour" in str(problem)


def test_a_brain_beyond_the_field_of_view_is_a_warning_that_says_how_much(save_scan) -> None:
    folder = save_scan("A")
    (found,) = find_subjects(folder)
    brain = np.logical_or.reduce([nibabel.load(file).get_fdata() != 0 for file in folder.glob("A/A-t??.nii.gz")])
    # Voxels of 12 mm: half of the sides along x, all of them along y and z.
    quarter = brain.shape[0] // 4
    side = 2 * quarter * 12
    beyond = 1 - brain[quarter:-quarter].sum() / brain.sum()
    inspection = inspect_subject(found, folder, fov_mm=(side, 240, 240))
    (problem,) = inspection.problems
    assert inspection.subject is not None
    assert problem.is_warning
    assert beyond > 0.01
    expected = f"within {side} x 240 x 240 mm about the middle of the image, found {beyond:.0%} of it beyond"
    assert expected in str(problem)
    # The sides are those of the patient, wherever the array has them.
    (turned,) = inspect_subject(found, folder, "SAR", fov_mm=(240, 240, side)).problems
    assert turned.found == problem.found


@pytest.mark.parametrize(("damage", "code", "words"), KINDS.values(), ids=list(KINDS))
def test_each_kind_of_damage_is_found_and_quarantines(save_scan, damage: Damage, code: str, words: str) -> None:
    folder = save_scan("A")
    damage(folder)
    inspection = inspect(folder)
    assert inspection.subject is None
    problem = next(problem for problem in inspection.problems if problem.code == code)
    assert problem.subject == "A"
    assert problem.expected and problem.found and problem.remedy
    assert re.search(words, str(problem)), str(problem)


def test_all_problems_of_a_subject_are_reported_in_one_pass(save_scan) -> None:
    folder = save_scan("A")
    for kind in ("missing modality", "NaN", "cut-off gzip", "negative label"):
        KINDS[kind][0](folder)
    codes = [problem.code for problem in inspect(folder).problems]
    assert codes == ["missing_modality", "unreadable_file", "not_finite", "negative_labels"]


def test_one_kind_of_damage_is_one_problem(save_scan) -> None:
    """No kind drags others along, so the reader is not sent after symptoms."""
    folder = save_scan("A")
    for kind in (
        "another affine",
        "interpolated mask",
        "the mask for an image",
        "one image twice",
        "labels 3 and 4",
        "mask elsewhere",
    ):
        folder = save_scan("A")
        KINDS[kind][0](folder)
        assert [problem.code for problem in inspect(folder).problems] == [KINDS[kind][1]]


def test_the_odd_grid_is_blamed_even_if_it_is_the_first(save_scan) -> None:
    folder = save_scan("A")
    change("t1c", lambda data: data, OTHER_AFFINE)(folder)
    assert [problem.file for problem in inspect(folder).problems] == ["A/A-t1c.nii.gz"]


def test_an_affine_within_the_tolerance_is_the_same_grid(save_scan) -> None:
    folder = save_scan("A")
    near = nibabel.load(folder / "A" / "A-t1c.nii.gz").affine + 0.0009
    near[3] = [0, 0, 0, 1]
    change("t2w", lambda data: data, near)(folder)
    assert inspect(folder).problems == ()


def test_label_4_is_read_as_enhancing_tumour(save_scan, scan_of) -> None:
    files = scan_of()
    files["seg"] = np.where(files["seg"] == 3, 4, files["seg"]).astype(np.uint8)
    inspection = inspect(save_scan("A", files))
    assert inspection.problems == ()
    assert inspection.subject is not None and inspection.subject.label_map == {0: 0, 1: 1, 2: 2, 4: 3}


def test_a_scan_without_a_mask_is_unlabelled(save_scan) -> None:
    inspection = inspect(save_scan("A", without=["seg"]))
    assert inspection.problems == ()
    assert inspection.subject is not None and inspection.subject.seg is None


def test_a_mask_may_leave_the_brain_by_a_twentieth(save_scan, scan_of) -> None:
    files = scan_of()
    files["seg"][0, 0, :3] = 1
    assert inspect(save_scan("A", files)).problems == ()
    files["seg"][0, 0, :4] = 1
    assert [problem.code for problem in inspect(save_scan("A", files)).problems] == ["mask_outside_brain"]


def test_the_same_intensities_as_integers_and_floats_are_one_image(save_scan, scan_of) -> None:
    files = scan_of()
    files["t2w"] = files["t2f"].astype(np.float64)
    assert [problem.code for problem in inspect(save_scan("A", files)).problems] == ["duplicate_image"]


def test_warnings_keep_the_subject(save_scan, scan_of, save_file) -> None:
    files = scan_of()
    files["t2w"] = files["t2w"] + np.int16(5)
    folder = save_scan("A", files, without=["seg"])
    save_file(folder / "A" / "A-Segm.nii.gz", files["seg"])
    inspection = inspect(folder)
    assert [problem.code for problem in inspection.problems] == ["unrecognised_file", "no_background"]
    assert "A/A-Segm.nii.gz" in inspection.problems[0].found
    assert inspection.subject is not None


def test_a_damaged_4d_file_is_one_problem(tmp_path: Path) -> None:
    description = {
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {},
        "test": ["./imagesTs/X.nii.gz"],
    }
    (tmp_path / "imagesTs").mkdir()
    (tmp_path / "imagesTs" / "X.nii.gz").write_bytes(b"")
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    assert [problem.code for problem in inspect(tmp_path).problems] == ["unreadable_file"]


def test_without_any_image_one_problem_says_what_would_do(tmp_path: Path) -> None:
    (problem,) = inspect_subject(FoundSubject("A", "A", "000"), tmp_path, allow_missing=True).problems
    assert problem.code == "missing_modality"
    assert "expected at least one of t1c, t1n, t2f, t2w, found none" in str(problem)


def test_a_fourth_axis_of_one_entry_is_no_dimension(save_scan) -> None:
    folder = save_scan("A")
    plain = inspect(folder)
    for file in folder.glob("A/*.nii.gz"):
        image = nibabel.load(file)
        data = np.asarray(image.dataobj)[..., None]
        nibabel.save(nibabel.Nifti1Image(data, image.affine, image.header), file)
        assert nibabel.load(file).shape[3] == 1
    assert inspect(folder) == plain
    subject = plain.subject
    assert subject is not None
    item = Compose(image_transforms(["image"], [8, 8, 8], [24.0] * 3))(subject.image_item(folder))
    assert item["image"].shape == (4, 8, 8, 8)


def test_visits_in_folders_of_their_own_are_sent_to_a_manifest(save_scan) -> None:
    folder = save_scan("A")
    (folder / "A" / "2021-09").mkdir()
    for file in list(folder.glob("A/*.nii.gz")):
        (folder / "A" / "2021-09" / file.name).write_bytes(file.read_bytes())
    problem = next(problem for problem in inspect(folder).problems if problem.code == "duplicate_modality")
    assert "if they are visits, list them in a manifest" in problem.remedy


def test_a_file_without_permission_is_not_called_damaged(save_scan, monkeypatch) -> None:
    folder = save_scan("A")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "A-t1n.nii.gz":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (problem,) = inspect(folder).problems
    assert (problem.code, problem.file, problem.found) == ("unreadable_file", "A/A-t1n.nii.gz", "Permission denied")
    assert problem.remedy.startswith("grant yourself the right")


def test_a_link_to_nothing_is_called_that(save_scan) -> None:
    folder = save_scan("A", without=["t2f"])
    (folder / "A" / "A-t2f.nii.gz").symlink_to("elsewhere.nii.gz")
    (problem,) = inspect(folder).problems
    assert (problem.code, problem.found) == (
        "missing_modality",
        "no such file, but a link to elsewhere.nii.gz, where nothing is",
    )
    assert problem.remedy == "correct the link, or put the file in its place"


@pytest.mark.parametrize("strangers", [("t1n",), ("t1n", "t2f")])
def test_images_of_two_heads_are_a_warning(save_scan, scan_of, strangers: tuple[str, ...]) -> None:
    files = scan_of()
    for kind in strangers:
        files[kind] = np.roll(files[kind], 1, axis=0)
    inspection = inspect(save_scan("A", files))
    (problem,) = inspection.problems
    assert (problem.code, problem.is_warning) == ("another_head", True)
    assert inspection.subject is not None
    named = {part.split()[0] for part in problem.found.split(", ")}
    # Of two and two, nothing says which are right.
    assert named == ({"t1n"} if len(strangers) == 1 else {"t1c", "t1n", "t2f", "t2w"})


def test_an_image_that_was_stripped_a_little_otherwise_is_of_the_same_head(save_scan, scan_of) -> None:
    files = scan_of()
    rim = np.argwhere(files["t2w"])[:: files["t2w"].astype(bool).sum() // 20]
    files["t2w"][tuple(rim.T)] = 0  # 4 % of its voxels
    assert inspect(save_scan("A", files)).problems == ()


def test_images_of_different_patients_are_told_among_phantoms(phantom_dir: Path) -> None:
    first, second, *_ = find_subjects(phantom_dir)
    assert not [p for p in inspect_subject(first, phantom_dir).problems if p.code == "another_head"]
    mixed = replace(first, images={**first.images, "t1n": second.images["t1n"]})
    (problem,) = inspect_subject(mixed, phantom_dir).problems
    assert (problem.code, problem.found[:6]) == ("another_head", "t1n 0.")
