from pathlib import Path

import nibabel
import numpy as np
import pytest

from semivae_bundle.evaluation.export_volumes import write_on_grid_of

AFFINE = np.array([[-1.5, 0, 0, 3], [0, -2, 0, 5], [0, 0, 4, -7], [0, 0, 0, 1.0]])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.int16), AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.header["cal_max"] = 1000
    image.set_qform(AFFINE, 1)
    image.set_sform(AFFINE, 3)
    nibabel.save(image, tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


def test_one_channel_becomes_a_label_map_in_the_same_place(source: Path, tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (1, 4, 5, 6)).astype(np.uint8)
    write_on_grid_of(source, labels, tmp_path / "s" / "map.nii.gz")
    written, scan = nibabel.load(tmp_path / "s" / "map.nii.gz"), nibabel.load(source)
    assert written.get_data_dtype() == np.uint8
    assert np.array_equal(np.asanyarray(written.dataobj), labels[0])
    assert np.array_equal(written.affine, scan.affine)
    for field in ("sform_code", "qform_code", "xyzt_units"):
        assert written.header[field] == scan.header[field]
    assert written.header["cal_max"] == 0


def test_several_channels_become_the_last_axis(source: Path, tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(size=(4, 4, 5, 6)).astype(np.float32)
    write_on_grid_of(source, volume, tmp_path / "reconstruction.nii.gz")
    written = nibabel.load(tmp_path / "reconstruction.nii.gz")
    assert written.shape == (4, 5, 6, 4)
    assert np.array_equal(written.get_fdata(dtype=np.float32)[..., 2], volume[2])


def test_another_grid_is_refused_and_leaves_no_file(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected \(C, 4, 5, 6\).*found \(1, 6, 5, 4\)"):
        write_on_grid_of(source, np.zeros((1, 6, 5, 4), np.uint8), tmp_path / "map.nii.gz")
    assert not (tmp_path / "map.nii.gz").exists()
