"""Cohort, split and features become items."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.data.cohort import Cohort
from semivae_bundle.data.subjects import MODALITIES, ImageRef, Subject
from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.training.datalist import make_datalist, require_training_subjects

SCALES = (ColumnScale("vol_total", "vol", 10.0, 2.0, 9), ColumnScale("vol_et", "vol", 8.0, 1.0, 7))
NORMALIZER = Normalizer(SCALES, 1, (240.0,) * 3, "s", "f")
FEATURES = pd.DataFrame(
    {"vol_total": [12.0, 9.0], "vol_et": [9.0, -10.0], "has_total": [1, 1], "has_et": [1, 0]},
    index=pd.Index(["A", "B"], name="subject"),
)
SPLITS = {"train": ["C", "A"], "validation": ["B"], "test": []}


def a_subject(name: str, seg: str | None, orientation: str | None = None) -> Subject:
    images = {modality: ImageRef(f"{name}/{modality}.nii.gz") for modality in MODALITIES}
    return Subject(name, name, "000", None, images, seg, {0: 0, 1: 1, 2: 2, 4: 3}, orientation)


@pytest.fixture
def cohort() -> Cohort:
    subjects = (a_subject("A", "A/seg.nii.gz", "PIR"), a_subject("B", "B/seg.nii.gz"), a_subject("C", None))
    return Cohort(Path("/data"), subjects)


def test_items_follow_the_order_of_the_split(cohort: Cohort) -> None:
    assert [item["subject"] for item in make_datalist(cohort, SPLITS, "train", FEATURES, NORMALIZER)] == ["C", "A"]
    assert make_datalist(cohort, SPLITS, "test", FEATURES, NORMALIZER) == []


def test_a_labelled_item_has_its_mask_its_map_and_standardised_targets(cohort: Cohort) -> None:
    _, item = make_datalist(cohort, SPLITS, "train", FEATURES, NORMALIZER)
    assert item["image"] == [f"/data/A/{modality}.nii.gz" for modality in MODALITIES]
    assert item["label"] == "/data/A/seg.nii.gz"
    assert item["label_map"] == {0: 0, 1: 1, 2: 2, 4: 3}
    assert item["orientation"] == "PIR"
    assert item["patient"] == "A"
    assert item["features"].tolist() == [1.0, 1.0]
    assert item["present"].tolist() == [1.0, 1.0]
    assert item["features"].dtype == item["present"].dtype == np.float32


def test_an_absent_region_is_masked(cohort: Cohort) -> None:
    (item,) = make_datalist(cohort, SPLITS, "validation", FEATURES, NORMALIZER)
    assert item["present"].tolist() == [1.0, 0.0]
    assert item["features"].tolist() == [-0.5, 0.0]
    assert "orientation" not in item


def test_an_unlabelled_item_has_no_mask_and_nothing_present(cohort: Cohort) -> None:
    item, _ = make_datalist(cohort, SPLITS, "train", FEATURES, NORMALIZER)
    assert "label" not in item
    assert not item["present"].any()
    assert np.isfinite(item["features"]).all()


def test_a_4d_file_is_one_path_and_its_channels_in_the_project_s_order() -> None:
    channels = {"t1c": 2, "t1n": 1, "t2f": 0, "t2w": 3}
    images = {modality: ImageRef("images/A.nii.gz", channels[modality]) for modality in MODALITIES}
    cohort = Cohort(Path("/data"), (Subject("A", "A", "000", None, images, None, {}),))
    (item,) = make_datalist(cohort, {"train": ["A"]}, "train", FEATURES, NORMALIZER)
    assert item["image"] == "/data/images/A.nii.gz"
    assert item["channels"] == [2, 1, 0, 3]


def test_a_training_without_a_subject_is_refused() -> None:
    require_training_subjects(SPLITS)
    with pytest.raises(ValueError, match=r"train: no subject in the split \(sizes: {'train': 0, 'test': 2}\)"):
        require_training_subjects({"train": [], "test": ["A", "B"]})
