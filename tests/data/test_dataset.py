"""Preprocessed once, kept on disk, keyed by everything that matters."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import nibabel
import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandGaussianNoised
from monai.utils import set_determinism

from semivae_bundle.data.dataset import CachedSubjects, NamedScans, cache_key, cache_subject
from semivae_bundle.data.transforms import Preprocessing

VIEW = Preprocessing((8, 8, 8), (16.0, 16.0, 16.0))
LABELS = {0: 0, 1: 1, 2: 2, 3: 3}


@pytest.fixture
def items(save_scan: Callable[..., Path]) -> list[dict[str, Any]]:
    """A labelled and an unlabelled subject."""
    folder = save_scan("A")
    save_scan("B", without=["seg"])
    result = []
    for name, labelled in (("A", True), ("B", False)):
        images = [str(folder / name / f"{name}-{kind}.nii.gz") for kind in ("t1c", "t1n", "t2f", "t2w")]
        values = np.full(2, float(labelled), np.float32)
        item: dict[str, Any] = {"subject": name, "image": images, "features": values, "present": values}
        if labelled:
            item |= {"label": str(folder / name / f"{name}-seg.nii.gz"), "label_map": LABELS}
        result.append(item)
    return result


def test_visits_of_a_patient_share_a_number_and_a_scan_without_one_is_its_own(items, tmp_path: Path) -> None:
    visits = [{**items[0], "patient": "P"}, items[1], {**items[0], "patient": "P"}, {**items[1], "subject": "C"}]
    dataset = CachedSubjects(visits, VIEW, tmp_path / "cache")
    assert [int(dataset[k]["patient"]) for k in range(4)] == [0, 1, 0, 2]


class Counting(Preprocessing):
    """Counts how often it ran."""

    runs = 0

    def __call__(self, item: Any) -> dict[str, torch.Tensor]:
        type(self).runs += 1
        return super().__call__(item)


def test_an_item_is_a_dict_of_tensors_for_one_step(items, tmp_path: Path) -> None:
    labelled, unlabelled = (CachedSubjects(items, VIEW, tmp_path / "cache")[k] for k in (0, 1))
    shapes = {name: tuple(value.shape) for name, value in labelled.items() if name != "subject"}
    grid = (8, 8, 8)
    assert shapes == {
        **{"features": (2,), "present": (2,), "labelled": (), "index": (), "patient": ()},
        **{"image": (4, *grid), "regions": (3, *grid), "brain": (1, *grid)},
    }
    assert labelled["subject"] == "A"
    assert all(labelled[name].dtype == torch.float32 for name in ("image", "regions", "brain", "features"))
    assert (bool(labelled["labelled"]), bool(unlabelled["labelled"])) == (True, False)
    assert labelled["regions"].any()
    assert set(unlabelled) == set(labelled)
    assert not unlabelled["regions"].any()


def test_the_cache_gives_what_preprocessing_gives_at_half_precision(items, tmp_path: Path) -> None:
    sample, fresh = CachedSubjects(items, VIEW, tmp_path / "cache")[0], VIEW(items[0])
    torch.testing.assert_close(sample["image"], fresh["image"], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(sample["regions"], fresh["regions"], rtol=1e-3, atol=1e-3)
    assert torch.equal(sample["brain"][0] > 0, (fresh["image"] != 0).any(dim=0))


def test_a_subject_is_preprocessed_once(items, tmp_path: Path) -> None:
    Counting.runs = 0
    preprocessing = Counting(VIEW.roi_size, VIEW.fov_mm)
    for _ in range(2):
        dataset = CachedSubjects(items, preprocessing, tmp_path / "cache")
        dataset.prepare(workers=1, progress=False)
        assert torch.equal(dataset[0]["image"], dataset[0]["image"])
    assert Counting.runs == 2
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_preparing_in_parallel_fills_the_same_cache(items, tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        with joblib.parallel_config(backend="threading"):
            CachedSubjects(items, VIEW, tmp_path / name).prepare(workers=workers, progress=False)
    names = [{file.name for file in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert names[0] == names[1]
    assert pickle.loads(pickle.dumps(VIEW)) == VIEW  # as processes and machines need it


def test_a_prepared_dataset_reads_no_scan_again(items, tmp_path: Path, monkeypatch) -> None:
    dataset = CachedSubjects(items, VIEW, tmp_path / "cache")
    dataset.prepare(workers=1, progress=False)
    before = [CachedSubjects(items, VIEW, tmp_path / "cache")[i]["image"] for i in range(2)]
    monkeypatch.setattr("semivae_bundle.data.dataset.sha256_of_files", lambda paths: pytest.fail(f"read {paths}"))
    for i, image in enumerate(before):
        assert torch.equal(dataset[i]["image"], image)


def test_a_full_cache_starts_no_worker(items, tmp_path: Path, monkeypatch) -> None:
    CachedSubjects(items, VIEW, tmp_path / "cache").prepare(workers=1, progress=False)
    monkeypatch.setattr("semivae_bundle.data.parallel.in_parallel", lambda *_, **__: pytest.fail("started workers"))
    again = CachedSubjects(items, VIEW, tmp_path / "cache")
    again.prepare(workers=2, progress=False)
    assert all(again.cache_files[i].is_file() for i in range(2))


def test_workers_that_did_light_work_before_are_not_kept_for_heavy_work(items, tmp_path: Path, monkeypatch) -> None:
    # loky would take importing torch for a memory leak and stop them in mid-work, some of them for ever.
    stopped: list[bool] = []
    executor = SimpleNamespace(shutdown=lambda wait: stopped.append(wait))
    monkeypatch.setattr("semivae_bundle.data.parallel.get_reusable_executor", lambda: executor)
    CachedSubjects(items, VIEW, tmp_path / "cache").prepare(workers=1, progress=False)
    assert stopped == [True]


def test_augmentation_runs_at_every_access_and_never_enters_the_cache(items, tmp_path: Path) -> None:
    calls = []

    def augment(sample: dict[str, Any]) -> dict[str, Any]:
        calls.append(sample["subject"])
        return {**sample, "image": sample["image"] + len(calls)}

    plain, augmented = (CachedSubjects(items, VIEW, tmp_path / "cache", chosen) for chosen in (None, augment))
    first, second = augmented[0]["image"], augmented[0]["image"]
    torch.testing.assert_close(first - 1, plain[0]["image"], atol=1e-5, rtol=0)
    torch.testing.assert_close(second - 2, plain[0]["image"], atol=1e-5, rtol=0)
    assert calls == ["A", "A"]


@pytest.mark.parametrize(
    "change",
    [
        {"orientation": "PIR"},
        {"label_map": {0: 0, 1: 2, 2: 1, 3: 3}},
        {"channels": [1, 0, 2, 3]},
        {"label": None, "label_map": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_how_a_subject_is_read_is_part_of_the_key(items, change: dict[str, Any]) -> None:
    assert cache_key({**items[0], **change}, VIEW) != cache_key(items[0], VIEW)


@pytest.mark.parametrize("other", [Preprocessing((8, 8, 4), VIEW.fov_mm), Preprocessing((8,) * 3, (16.0, 16.0, 17.0))])
def test_the_transform_s_parameters_are_part_of_the_key(items, other: Preprocessing) -> None:
    assert cache_key(items[0], other) != cache_key(items[0], VIEW)


@pytest.mark.parametrize("kind", ["image", "label"])
def test_an_edited_file_is_read_anew(items, tmp_path: Path, kind: str) -> None:
    before = cache_key(items[0], VIEW)
    edited = Path(items[0]["image"][2] if kind == "image" else items[0]["label"])
    shutil.copy(items[1]["image"][0], edited)
    assert cache_key(items[0], VIEW) != before


def test_targets_and_the_folder_s_place_are_no_part_of_the_key(items, tmp_path: Path) -> None:
    moved = {**items[0], "features": np.zeros(2, np.float32)}
    for key in ("image", "label"):
        paths = items[0][key] if key == "image" else [items[0][key]]
        copies = [shutil.copy(path, tmp_path / f"copy-{Path(path).name}") for path in paths]
        moved[key] = copies if key == "image" else copies[0]
    assert cache_key(moved, VIEW) == cache_key(items[0], VIEW)
    listed = Preprocessing(list(VIEW.roi_size), list(VIEW.fov_mm))
    assert cache_key(items[0], listed) == cache_key(items[0], VIEW)


def test_an_interrupted_write_leaves_nothing_to_be_taken_for_a_result(items, tmp_path: Path, monkeypatch) -> None:
    def interrupted(stream: Any, **arrays: Any) -> None:
        stream.write(b"half")
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(np, "savez", interrupted)
        cache_subject(items[0], VIEW, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert cache_subject(items[0], VIEW, tmp_path / "cache").is_file()


def test_the_cache_is_plain_arrays_without_pickles(items, tmp_path: Path) -> None:
    with np.load(cache_subject(items[0], VIEW, tmp_path / "cache"), allow_pickle=False) as stored:
        assert {name: stored[name].dtype for name in stored} == {"image": np.float16, "regions": np.float16}


def test_a_scan_that_cannot_be_preprocessed_is_named(items, tmp_path: Path) -> None:
    Path(items[1]["image"][2]).write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"^B: .*; correct the scan, or take it out of the folder$"):
        CachedSubjects(items, VIEW, tmp_path / "cache")[1]
    scans = NamedScans(items, VIEW)
    assert set(scans[0]) == {"image", "regions"}
    with pytest.raises(ValueError, match=r"^B: "):
        scans[1]


def moved(file: str, by: float) -> None:
    image = nibabel.load(file)
    affine = image.affine.copy()
    affine[0, 1] += by
    nibabel.save(nibabel.Nifti1Image(np.asanyarray(image.dataobj), affine), file)


def test_files_that_agree_but_for_rounding_are_one_image(items) -> None:
    expected = VIEW(items[1])["image"]
    moved(items[1]["image"][1], 2e-7)
    torch.testing.assert_close(VIEW(items[1])["image"], expected)
    moved(items[1]["image"][1], 0.1)
    with pytest.raises(RuntimeError):
        VIEW(items[1])


def test_every_access_is_augmented_anew_in_a_run_whose_seed_is_set(items, tmp_path: Path) -> None:
    # MONAI's Compose takes the global seed again whenever it is built, and asking for its length builds it.
    set_determinism(seed=0)
    try:
        noise = Compose([RandGaussianNoised("image", prob=1.0, std=1.0)])
        dataset = CachedSubjects(items, VIEW, tmp_path / "cache", noise)
        assert not torch.equal(dataset[0]["image"], dataset[0]["image"])
    finally:
        set_determinism(seed=None)


def test_what_is_not_finite_never_comes_into_the_cache(items, tmp_path: Path) -> None:
    class Broken(Preprocessing):
        def __call__(self, item: Any) -> dict[str, torch.Tensor]:
            arrays = super().__call__(item)
            return {**arrays, "image": arrays["image"].masked_fill(arrays["image"] != 0, float("nan"))}

    with pytest.raises(ValueError, match="A: expected finite numbers, found NaN or infinity in the image; correct the"):
        cache_subject(items[0], Broken((8, 8, 8), (16.0, 16.0, 16.0)), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_damaged_cache_file_is_named(items: list[dict[str, Any]], tmp_path: Path) -> None:
    dataset = CachedSubjects(items, VIEW, tmp_path / "cache")
    for left in (0.5, 0.0):
        file = cache_subject(items[0], VIEW, tmp_path / "cache")
        file.write_bytes(file.read_bytes()[: int(left * file.stat().st_size)])
        with pytest.raises(
            ValueError, match=rf"{file.name}: expected a preprocessed scan, found \w+: .*; delete the file"
        ):
            dataset.load(0)
    file.unlink()
    dataset.cache_files.clear()
    dataset.load(0)
