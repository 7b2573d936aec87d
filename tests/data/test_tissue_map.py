"""Tissue beside the images: what the file holds, that it changes nothing else, and other grids."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from semivae_bundle.data.layouts import find_subjects
from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.data.phantom.contrast import TISSUES
from semivae_bundle.data.phantom.subject import draw_head
from semivae_bundle.data.phantom.tissue_map import (
    TissueMap,
    lies_on,
    load_tissue_map,
    map_of_head,
    resampled,
    save_tissue_map,
)

SMALL = {"size": 32, "spacing": 7.5, "workers": 1, "progress": False}
FOV = [240.0, 240.0, 240.0]


@pytest.fixture(scope="module")
def tissue() -> TissueMap:
    """The tissue of one phantom, 32³ voxels of 7.5 mm."""
    return map_of_head(draw_head(0, 0, 0, 1, size=32, spacing=7.5, contrast="mixed"), 32)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tissue_adds_a_file_to_each_subject_and_changes_no_other_byte(tmp_path: Path, phantom_dir: Path) -> None:
    generate_phantoms(tmp_path, 8, unlabelled=0.25, tissues=True, **SMALL)
    written, without = contents(tmp_path), contents(phantom_dir)
    assert {name: written[name] for name in without} == without
    names = [f"BraTS-PHM-{i:05d}-000" for i in range(8)]
    assert set(written) - set(without) == {f"{name}/{name}-tissues.npz" for name in names}


def test_tissue_can_be_added_later_and_is_the_same_every_time(tmp_path: Path) -> None:
    generate_phantoms(tmp_path / "at_once", 2, tissues=True, **SMALL)
    generate_phantoms(tmp_path / "later", 2, **SMALL)
    image = next((tmp_path / "later").rglob("*-t1c.nii.gz"))
    before = image.stat().st_mtime_ns
    generate_phantoms(tmp_path / "later", 2, tissues=True, **SMALL)
    assert contents(tmp_path / "later") == contents(tmp_path / "at_once")
    assert image.stat().st_mtime_ns == before


def test_the_index_takes_tissue_for_no_image_and_no_stranger(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, tissues=True, **SMALL)
    (found,) = find_subjects(tmp_path)
    assert {kind: len(refs) for kind, refs in found.images.items()} == {"t1c": 1, "t1n": 1, "t2f": 1, "t2w": 1}
    assert found.strangers == ()


def test_the_file_keeps_the_tissue_and_where_it_lies(tissue: TissueMap, tmp_path: Path) -> None:
    save_tissue_map(tmp_path / "A-tissues.npz", tissue)
    read = load_tissue_map(tmp_path / "A-tissues.npz")
    assert np.abs(read.tissues - tissue.tissues).max() <= 0.5 / 255 + 1e-6
    near = np.abs(tissue.depth) < 31
    assert np.abs(read.depth - tissue.depth)[near].max() <= 0.125 + 1e-6
    assert np.array_equal(read.tumour, tissue.tumour)
    assert (read.start, read.shape, read.spacing) == (tissue.start, tissue.shape, tissue.spacing)


def test_the_tumour_of_the_file_is_the_mask_on_disk(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, tissues=True, **SMALL)
    name = "BraTS-PHM-00000-000"
    labels = np.asarray(nib.load(tmp_path / name / f"{name}-seg.nii.gz").dataobj)[::-1, ::-1]
    read = load_tissue_map(tmp_path / name / f"{name}-tissues.npz")
    assert np.array_equal(read.tumour, labels[read.part] > 0)
    assert read.tumour.sum() == (labels > 0).sum()


def test_the_healthy_brain_is_all_tissue(tissue: TissueMap) -> None:
    assert tissue.tissues.shape[0] == len(TISSUES)
    healthy = (tissue.depth > 15) & (tissue.tissues[3:6].sum(axis=0) < 1e-4)
    assert tissue.tissues.sum(axis=0)[healthy] == pytest.approx(1, abs=0.01)


def test_resampling_to_its_own_grid_changes_nothing_that_shows(tissue: TissueMap, tmp_path: Path) -> None:
    same = resampled(tissue, [32, 32, 32], FOV)
    inner = tuple(slice(a, a + n) for a, n in zip(np.subtract(same.start, tissue.start), same.depth.shape, strict=True))
    assert np.allclose(same.tissues, tissue.tissues[(slice(None), *inner)], atol=1e-5)
    assert np.allclose(same.depth, tissue.depth[inner], atol=1e-4)
    save_tissue_map(tmp_path / "same.npz", same)
    assert lies_on(tmp_path / "same.npz", [32, 32, 32], FOV) and not lies_on(tmp_path / "same.npz", [48, 48, 48], FOV)


def test_a_coarser_grid_keeps_the_amount_of_tumour(tissue: TissueMap) -> None:
    coarse = resampled(tissue, [16, 16, 16], FOV)
    fine, rough = (tissue_map.tissues[3:6].sum() * tissue_map.spacing**3 for tissue_map in (tissue, coarse))
    assert rough == pytest.approx(fine, rel=1e-3)
    assert coarse.shape == (16, 16, 16)
    assert coarse.spacing == 15


def test_places_stay_on_another_grid(tissue: TissueMap) -> None:
    fine = resampled(tissue, [48, 48, 48], FOV)
    centres = []
    for tissue_map in (tissue, fine):
        weight = tissue_map.tissues[3:6].sum(axis=0)
        sums = [(weight.sum(axis=o) @ a) for o, a in zip(((1, 2), (0, 2), (0, 1)), tissue_map.grid.axes, strict=True)]
        centres.append(np.array(sums) / weight.sum())
    assert np.abs(centres[0] - centres[1]).max() < 1


def test_voxels_that_are_no_cubes_are_refused(tissue: TissueMap) -> None:
    with pytest.raises(ValueError, match=r"cubic voxels.*in proportion"):
        resampled(tissue, [32, 32, 16], FOV)
