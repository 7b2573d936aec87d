"""Images made anew at every access, for training alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import RandGaussianNoised

from semivae_bundle.data.dataset import CachedSubjects
from semivae_bundle.data.one_modality import OneModality
from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.data.phantom.tissue_map import load_tissue_map
from semivae_bundle.data.phantom.variety import Variety
from semivae_bundle.data.synthesised import SynthesisedSubjects, find_tissue_files
from semivae_bundle.data.transforms import Preprocessing

VARIETY = Variety("mixed", (0.8, 3.0), (-0.3, 1.0), (0.0, 1.0), (-3.0, 5.0), (-1.0, 1.0), (-3.0, 3.0))
VIEW = Preprocessing((32, 32, 32), (240.0, 240.0, 240.0))


@pytest.fixture(scope="module")
def cohort_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms with tissue."""
    folder = tmp_path_factory.mktemp("tissues")
    generate_phantoms(folder, 3, size=32, spacing=7.5, tissues=True, workers=1, progress=False)
    return folder


def items_of(folder: Path, count: int, labelled: bool = True) -> list[dict[str, Any]]:
    """What the datalist makes of phantoms."""
    items = []
    for name in (f"BraTS-PHM-{i:05d}-000" for i in range(count)):
        files = {kind: str(folder / name / f"{name}-{kind}.nii.gz") for kind in ("t1c", "t1n", "t2f", "t2w", "seg")}
        label = {"label": files.pop("seg"), "label_map": {k: k for k in range(4)}} if labelled else {}
        values = np.ones(2, np.float32)
        items.append({"subject": name, "image": list(files.values()), "features": values, "present": values, **label})
    return items


def seeded(folder: Path, cache: Path, seed: int = 0, **more: Any) -> SynthesisedSubjects:
    """The three phantoms as a training set."""
    dataset = SynthesisedSubjects(items_of(folder, 3), VIEW, cache, VARIETY, **more)
    return dataset.set_random_state(seed)


def test_the_image_is_new_at_every_access_and_the_rest_is_as_cached(cohort_dir: Path, tmp_path: Path) -> None:
    dataset, cached = seeded(cohort_dir, tmp_path), CachedSubjects(items_of(cohort_dir, 3), VIEW, tmp_path)[1]
    first, second = dataset[1], dataset[1]
    assert first.keys() == cached.keys()
    assert not torch.equal(first["image"], second["image"])
    assert torch.equal(first["regions"], cached["regions"])
    assert torch.equal(first["brain"], (first["image"] != 0).any(dim=0, keepdim=True).float())
    assert (first["image"].dtype, first["image"].shape) == (torch.float32, cached["image"].shape)


def test_images_and_augmentation_follow_the_seed(cohort_dir: Path, tmp_path: Path) -> None:
    runs = []
    for seed in (3, 3, 4):
        dataset = seeded(cohort_dir, tmp_path, seed, augmentation=RandGaussianNoised("image", prob=1.0, std=0.1))
        runs.append(torch.stack([dataset[k]["image"] for k in (0, 1, 0)]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_workers_draw_differently_and_repeat_with_the_seed_of_torch(cohort_dir: Path, tmp_path: Path) -> None:
    dataset = SynthesisedSubjects(items_of(cohort_dir, 1) * 2, VIEW, tmp_path, VARIETY)
    dataset.prepare(workers=1, progress=False)
    passes = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        passes.append(torch.stack([batch["image"][0] for batch in DataLoader(dataset, batch_size=1, num_workers=2)]))
    assert not torch.equal(passes[0][0], passes[0][1])
    assert torch.equal(passes[0], passes[1])
    assert not torch.equal(passes[0], passes[2])


def test_tissue_on_the_models_grid_is_read_where_it_lies(cohort_dir: Path, tmp_path: Path) -> None:
    dataset = seeded(cohort_dir, tmp_path)
    dataset.prepare(workers=1, progress=False)
    assert dataset.gridded == dataset.tissue_files
    assert not list(tmp_path.glob("*tissues*"))


def test_tissue_on_another_grid_is_resampled_once(cohort_dir: Path, tmp_path: Path) -> None:
    view = Preprocessing((24, 24, 24), (240.0, 240.0, 240.0))
    dataset = SynthesisedSubjects(items_of(cohort_dir, 1), view, tmp_path, VARIETY)
    dataset.prepare(workers=1, progress=False)
    (file,) = tmp_path.glob("*tissues*")
    written = file.stat().st_mtime_ns
    assert load_tissue_map(file).shape == (24, 24, 24)
    sample = SynthesisedSubjects(items_of(cohort_dir, 1), view, tmp_path, VARIETY)[0]
    assert sample["image"].shape == (4, 24, 24, 24)
    assert (sample["brain"][0] >= (sample["regions"].sum(dim=0) > 0.5)).all()
    assert file.stat().st_mtime_ns == written


def test_a_labelled_subject_without_tissue_is_named_with_the_file_and_the_remedy(phantom_dir: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        find_tissue_files(items_of(phantom_dir, 1))
    for part in ("BraTS-PHM-00000-000: ", "BraTS-PHM-00000-000-tissues.npz", "phantom", "--tissues"):
        assert part in str(caught.value)


def test_an_unlabelled_subject_without_tissue_keeps_its_image(phantom_dir: Path, tmp_path: Path) -> None:
    items = items_of(phantom_dir, 1, labelled=False)
    sample = SynthesisedSubjects(items, VIEW, tmp_path, VARIETY)[0]
    assert torch.equal(sample["image"], CachedSubjects(items, VIEW, tmp_path)[0]["image"])


def test_one_modality_alone_is_refused(cohort_dir: Path, tmp_path: Path) -> None:
    alone = OneModality(roi_size=VIEW.roi_size, fov_mm=VIEW.fov_mm, modality="t2f")
    with pytest.raises(ValueError, match="expected preprocessing of all four modalities, found that of t2f alone"):
        SynthesisedSubjects(items_of(cohort_dir, 1), alone, tmp_path, VARIETY)
