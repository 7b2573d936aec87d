"""Hidden labels: by patient, nested, and gone from everything that is made of the cohort."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.data.cohort import Cohort
from semivae_bundle.data.label_fraction import hide_labels, labelled_subjects, only_labelled
from semivae_bundle.data.problems import CohortError
from semivae_bundle.data.subjects import MODALITIES, ImageRef, Subject
from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.training.datalist import make_datalist

FRACTIONS = (0.1, 0.25, 0.5, 1.0)


def a_scan(patient: str, visit: str, seg: bool) -> Subject:
    name = f"{patient}-{visit}"
    images = {modality: ImageRef(f"{name}/{modality}.nii.gz") for modality in MODALITIES}
    return Subject(name, patient, visit, None, images, f"{name}/seg.nii.gz" if seg else None, {0: 0, 1: 1, 2: 2, 3: 3})


# Twenty training patients of two visits, two without a mask, and two for validation.
COHORT = Cohort(
    Path("/data"),
    tuple(a_scan(f"P{k:02}", visit, seg=k not in (18, 19)) for k in range(22) for visit in ("000", "001")),
)
NAMES = [one.subject for one in COHORT.subjects]
SPLITS = {"train": NAMES[:40], "validation": NAMES[40:], "test": []}


def kept(fraction: float, seed: int = 0) -> set[str]:
    """Training subjects that still have a mask."""
    hidden = hide_labels(COHORT, SPLITS, fraction=fraction, seed=seed)
    return set(labelled_subjects(hidden)) & set(SPLITS["train"])


def test_the_fraction_is_of_the_labelled_training_patients() -> None:
    assert [len(kept(fraction)) / 2 for fraction in FRACTIONS] == [2, 5, 9, 18]
    assert len(kept(0.001)) == 2


def test_a_smaller_fraction_keeps_a_part_of_what_a_larger_one_keeps() -> None:
    sets = [kept(fraction) for fraction in FRACTIONS]
    assert sets[0] < sets[1] < sets[2] < sets[3]


def test_all_visits_of_a_patient_share_their_fate() -> None:
    for fraction in FRACTIONS:
        assert kept(fraction) == {f"{name[:3]}-{visit}" for name in kept(fraction) for visit in ("000", "001")}


def test_the_seed_and_the_names_decide() -> None:
    assert kept(0.5) == kept(0.5)
    assert kept(0.5, seed=1) != kept(0.5)
    turned = Cohort(COHORT.dataset_dir, COHORT.subjects[::-1])
    assert set(labelled_subjects(hide_labels(turned, SPLITS, fraction=0.5, seed=0))) >= kept(0.5)


def test_all_labels_and_other_splits_are_left_alone() -> None:
    assert hide_labels(COHORT, SPLITS, fraction=1.0, seed=0) == COHORT
    hidden = hide_labels(COHORT, SPLITS, fraction=0.1, seed=0)
    assert set(labelled_subjects(hidden)) >= set(SPLITS["validation"])
    assert [one.subject for one in hidden.subjects] == NAMES


def test_no_hidden_measurement_and_no_mask_reaches_an_item() -> None:
    normalizer = Normalizer((ColumnScale("vol_total", "vol", 0.0, 1.0, 9),), 1, (240.0,) * 3, "s", "f")
    features = pd.DataFrame({"vol_total": 7.0, "has_total": 1}, index=pd.Index(NAMES[:36] + NAMES[40:], name="subject"))
    hidden = hide_labels(COHORT, SPLITS, fraction=0.25, seed=0)
    items = {item["subject"]: item for item in make_datalist(hidden, SPLITS, "train", features, normalizer)}
    assert len(items) == 40
    for name, item in items.items():
        labelled = name in kept(0.25)
        assert ("label" in item) == ("label_map" in item) == labelled
        np.testing.assert_array_equal(item["features"], [7.0 if labelled else 0.0])
        np.testing.assert_array_equal(item["present"], [float(labelled)])


def test_training_on_the_labelled_alone_drops_the_rest_of_that_split() -> None:
    hidden = hide_labels(COHORT, SPLITS, fraction=0.25, seed=0)
    splits = only_labelled(SPLITS, hidden)
    assert set(splits["train"]) == kept(0.25)
    assert splits["validation"] == SPLITS["validation"]


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.01])
def test_a_share_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"expected a share above 0 and up to 1, found {fraction}"):
        hide_labels(COHORT, SPLITS, fraction=fraction, seed=0)


def test_a_cohort_without_labels_is_refused() -> None:
    bare = Cohort(Path("/data"), (a_scan("P1", "000", False), a_scan("P2", "000", True)))
    splits = {"train": ["P1-000"], "validation": ["P2-000"], "test": []}
    with pytest.raises(CohortError, match="no training subject is labelled; nothing to keep"):
        hide_labels(bare, splits, fraction=0.5, seed=0)
    with pytest.raises(CohortError, match="no training subject is labelled"):
        only_labelled(splits, bare)
