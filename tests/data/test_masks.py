"""Reading masks into project labels and RAS."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from semivae_bundle.data.masks import read_mask

IDENTITY = {0: 0, 1: 1, 2: 2, 3: 3}


def marked(shape: tuple[int, int, int]) -> np.ndarray:
    """One voxel of label 2 at index (1, 2, 3)."""
    mask = np.zeros(shape, np.uint8)
    mask[1, 2, 3] = 2
    return mask


def save(path: Path, data: np.ndarray, codes: str, spacing: tuple[float, float, float]) -> Path:
    """Store an array whose axes run as `codes`."""
    ornt = nibabel.orientations.axcodes2ornt(tuple(codes))
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (world, sign) in enumerate(ornt.astype(int)):
        affine[world, axis] = sign * spacing[axis]
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return path


@pytest.mark.parametrize(
    ("codes", "index", "spacing"),
    [
        ("RAS", (1, 2, 3), (1.0, 2.0, 3.0)),
        ("LPS", (2, 2, 3), (1.0, 2.0, 3.0)),
        ("PIR", (3, 2, 2), (3.0, 1.0, 2.0)),
        ("ASR", (3, 1, 2), (3.0, 1.0, 2.0)),
    ],
)
def test_masks_come_out_in_ras_with_their_spacing(tmp_path: Path, codes: str, index, spacing) -> None:
    path = save(tmp_path / "m.nii.gz", marked((4, 5, 6)), codes, (1.0, 2.0, 3.0))
    labels, spacing_mm = read_mask(path, IDENTITY)
    assert labels.dtype == np.uint8 and labels.flags.c_contiguous
    np.testing.assert_array_equal(np.argwhere(labels == 2), [index])
    np.testing.assert_allclose(spacing_mm, spacing)


@pytest.mark.parametrize("codes", ["LPS", "PIR", "ASR", "IRP"])
def test_an_orientation_override_replaces_the_header(tmp_path: Path, codes: str) -> None:
    truth = save(tmp_path / "true.nii.gz", marked((4, 5, 6)), codes, (1.0, 2.0, 3.0))
    wrong = save(tmp_path / "wrong.nii.gz", marked((4, 5, 6)), "RAS", (1.0, 2.0, 3.0))
    expected, spacing = read_mask(truth, IDENTITY)
    labels, spacing_mm = read_mask(wrong, IDENTITY, codes)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(spacing_mm, spacing)


def test_labels_follow_the_map_also_when_stored_as_scaled_floats(tmp_path: Path) -> None:
    data = np.array([0, 1, 2.0001, 4]).reshape(2, 2, 1).repeat(2, 2).astype(np.float32)
    path = save(tmp_path / "m.nii", data, "RAS", (1, 1, 1))
    labels, _ = read_mask(str(path), {0: 0, 1: 1, 2: 2, 4: 3})
    np.testing.assert_array_equal(labels[..., 0], [[0, 1], [2, 3]])


def test_swapped_labels_do_not_overwrite_each_other(tmp_path: Path) -> None:
    path = save(tmp_path / "m.nii", np.array([[[1, 2]], [[0, 3]]], np.int16), "RAS", (1, 1, 1))
    labels, _ = read_mask(path, {0: 0, 1: 2, 2: 1, 3: 3})
    np.testing.assert_array_equal(labels, [[[2, 1]], [[0, 3]]])


def test_a_label_outside_the_map_or_a_stack_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.nii", np.full((2, 2, 2), 4, np.uint8), "RAS", (1, 1, 1))
    with pytest.raises(ValueError, match=r"found \[4\] too; if the file has changed, run `index` again"):
        read_mask(path, IDENTITY)
    path = save(tmp_path / "f.nii", np.full((2, 2, 2), 0.5, np.float32), "RAS", (1, 1, 1))
    with pytest.raises(ValueError, match="whole-number"):
        read_mask(path, IDENTITY)
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 2), np.uint8), np.eye(4)), tmp_path / "4.nii")
    with pytest.raises(ValueError, match="three dimensions"):
        read_mask(tmp_path / "4.nii", IDENTITY)
