"""Patient-level, seeded, stratified splits."""

import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from semivae_bundle.data.problems import CohortError
from semivae_bundle.data.splits import divide_cohort, load_splits, split_hash, split_patients, write_splits
from semivae_bundle.data.subjects import Subject, parse_name

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def scan(name: str, labelled: bool = True) -> Subject:
    patient, visit = parse_name(name)
    return Subject(name, patient, visit, None, {}, "seg.nii.gz" if labelled else None, {0: 0})


def cohort(labelled: int, unlabelled: int = 0, visits: int = 1) -> list[Subject]:
    """Patients numbered through, the labelled ones first."""
    return [
        scan(f"BraTS-PHM-{patient:05d}-{visit:03d}", patient < labelled)
        for patient in range(labelled + unlabelled)
        for visit in range(visits)
    ]


def sizes(splits: dict[str, list[str]]) -> list[int]:
    return [len(splits[name]) for name in ("train", "validation", "test")]


def split(subjects: list[Subject], seed: int = 0, **options) -> dict[str, list[str]]:
    return split_patients(subjects, **{"fractions": FRACTIONS, "seed": seed} | options)


def test_every_subject_is_in_one_split_and_visits_stay_together() -> None:
    subjects = cohort(20, 7, visits=3)
    splits = split(subjects)
    assert sorted(chain(*splits.values())) == sorted(subject.subject for subject in subjects)
    patients = [{parse_name(name)[0] for name in ids} for ids in splits.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 27


def test_labelled_and_unlabelled_are_divided_each_by_the_fractions() -> None:
    splits = split(cohort(100, 40))
    labelled = [sum(int(name[10:15]) < 100 for name in ids) for ids in splits.values()]
    assert labelled == [70, 15, 15]
    assert sizes(splits) == [98, 21, 21]


def test_the_seed_decides_and_the_order_of_subjects_does_not() -> None:
    subjects = cohort(30)
    assert split(subjects) == split(subjects[::-1])
    assert split(subjects) != split(subjects, seed=1)


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "expected"),
    [(3, 0, [1, 1, 1]), (4, 0, [2, 1, 1]), (2, 0, [1, 1, 0]), (1, 2, [1, 1, 1]), (0, 3, [1, 1, 1]), (1, 1, [1, 1, 0])],
)
def test_small_cohorts_fill_every_split_they_can(labelled: int, unlabelled: int, expected: list[int]) -> None:
    for seed in range(5):
        assert sizes(split(cohort(labelled, unlabelled), seed=seed)) == expected


@pytest.mark.parametrize("labelled", [2, 3, 5])
def test_validation_has_a_labelled_patient_when_there_are_two(labelled: int) -> None:
    for seed in range(10):
        splits = split(cohort(labelled, 30), seed=seed)
        assert any(int(name[10:15]) < labelled for name in splits["validation"])
        assert any(int(name[10:15]) < labelled for name in splits["train"])


def test_one_patient_can_only_train() -> None:
    with pytest.raises(CohortError, match=r"at least 2 patients.*found 1.*fractions \{'train':1.0\}"):
        split(cohort(1, visits=3))
    assert sizes(split(cohort(1, visits=3), fractions={"train": 1.0})) == [3, 0, 0]


def test_a_split_without_a_share_stays_empty() -> None:
    assert sizes(split(cohort(10), fractions={"train": 0.8, "validation": 0.2, "test": 0.0})) == [8, 2, 0]


def test_a_growing_cohort_keeps_its_assignments_and_its_proportions() -> None:
    before = split(cohort(20, 4))
    after = split(cohort(60, 12), previous=before)
    assert all(set(before[name]) <= set(after[name]) for name in before)
    # By rounding alone, the two strata together may be off by one patient each.
    assert sizes(after) == pytest.approx([0.7 * 72, 0.15 * 72, 0.15 * 72], abs=2)


def test_a_new_visit_joins_its_patient() -> None:
    before = split(cohort(20))
    after = split(cohort(20, visits=2), previous=before)
    for name, ids in before.items():
        assert sorted(after[name]) == sorted([*ids, *(f"{subject[:-1]}1" for subject in ids)])


def test_a_patient_torn_apart_by_hand_is_refused() -> None:
    previous = {"train": ["BraTS-PHM-00000-000"], "test": ["BraTS-PHM-00000-001"]}
    with pytest.raises(CohortError, match=r"BraTS-PHM-00000: expected all visits in one split.*test, train"):
        split(cohort(3, visits=2), previous=previous)


@pytest.mark.parametrize(
    ("fractions", "words"),
    [
        ({"train": 0.5, "test": 0.2}, "sum to 0.7"),
        ({"train": 1.5, "test": -0.5}, "train is 1.5; test is -0.5"),
        ({"train": 0.5, "val": 0.5}, "unknown split 'val'"),
    ],
)
def test_fractions_that_make_no_sense_are_refused(fractions: dict[str, float], words: str) -> None:
    with pytest.raises(CohortError, match=words):
        split(cohort(10), fractions=fractions)


def test_a_cohort_may_be_there_for_testing_alone() -> None:
    splits = split(cohort(10), fractions={"test": 1.0})
    assert (len(splits["train"]), len(splits["validation"]), len(splits["test"])) == (0, 0, 10)


def test_the_hash_names_the_division_not_its_order() -> None:
    splits = {"train": ["b", "a"], "validation": ["c"], "test": []}
    assert split_hash(splits) == split_hash({"validation": ["c"], "train": ["a", "b"]})
    assert split_hash(splits) != split_hash({"train": ["a", "c"], "validation": ["b"], "test": []})


def test_splits_survive_the_file_and_a_spoilt_file_is_refused(tmp_path: Path) -> None:
    file, splits = tmp_path / "splits.json", split(cohort(10))
    write_splits(file, splits, fractions=FRACTIONS, seed=0, patients={})
    assert load_splits(file) == splits
    content = json.loads(file.read_text())
    content["splits"]["test"] = content["splits"]["train"]
    file.write_text(json.dumps(content))
    with pytest.raises(CohortError, match="expected each subject once"):
        load_splits(file)
    file.write_text("{}")
    with pytest.raises(CohortError, match=r"expected schema 'semivae-splits/1'.*remove it and draw them with"):
        load_splits(file)
    with pytest.raises(FileNotFoundError, match=r"monai\.bundle run index"):
        load_splits(tmp_path / "absent.json")


def test_half_a_file_is_told_as_of_any_record(tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text("{")
    with pytest.raises(ValueError, match=r"expected schema 'semivae-splits/1', found Expecting .*; remove it and draw"):
        load_splits(tmp_path / "splits.json")


def test_dividing_again_extends_the_file_unless_the_seed_changed(tmp_path: Path, caplog) -> None:
    file = tmp_path / "splits.json"
    first = divide_cohort(cohort(20), file, fractions=FRACTIONS, seed=0)
    grown = divide_cohort(cohort(40), file, fractions=FRACTIONS, seed=0)
    assert all(set(first[name]) <= set(grown[name]) for name in first)
    assert caplog.text == ""
    assert (
        divide_cohort(cohort(40), file, fractions=FRACTIONS, seed=1) == split(cohort(40), seed=1) == load_splits(file)
    )
    assert "drawn anew" in caplog.text


def test_patients_who_were_away_for_one_index_come_back_to_their_split(tmp_path: Path) -> None:
    file, everyone = tmp_path / "splits.json", cohort(60)
    first = divide_cohort(everyone, file, fractions=FRACTIONS, seed=0)
    divide_cohort(everyone[::2], file, fractions=FRACTIONS, seed=0)
    divide_cohort(everyone[::3], file, fractions=FRACTIONS, seed=0)
    assert divide_cohort(everyone, file, fractions=FRACTIONS, seed=0) == first


def test_a_patient_of_whom_only_a_new_visit_is_left_stays_where_the_old_one_was(tmp_path: Path) -> None:
    file, everyone = tmp_path / "splits.json", cohort(20)
    first = divide_cohort(everyone, file, fractions=FRACTIONS, seed=0)
    later = [replace(one, subject=f"{one.patient}-009", visit="009") for one in everyone]
    now = divide_cohort(later, file, fractions=FRACTIONS, seed=0)
    patient_of = {one.subject: one.patient for one in (*everyone, *later)}
    for split in first:
        assert {patient_of[one] for one in now[split]} == {patient_of[one] for one in first[split]}


def test_shares_in_words_are_named() -> None:
    with pytest.raises(CohortError, match=r"found .*'a'.* \(train is 'a'\); for example"):
        split(cohort(4), fractions={"train": "a"})
