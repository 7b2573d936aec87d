"""Names that look like visits of one patient."""

from collections.abc import Sequence

import pytest

from semivae_bundle.data.subjects import Subject, parse_name
from semivae_bundle.data.visit_names import similar_patients, unsaid_visits


def subjects(names: Sequence[str], patient: str | None = None) -> list[Subject]:
    return [Subject(name, patient or parse_name(name)[0], parse_name(name)[1], None, {}, None, {}) for name in names]


@pytest.mark.parametrize(
    "names",
    [
        ["P000_v1", "P000_v2", "P001_v1"],
        ["sub-01_ses-1", "sub-01_ses-2"],
        ["Smith_baseline", "Smith_followup"],
        ["P000.post", "P000.Pre"],
    ],
)
def test_what_is_called_a_visit_is_told_of(names: list[str]) -> None:
    (problem,) = unsaid_visits(subjects(names))
    assert (problem.subject, problem.is_warning) == (names[0], True)
    assert problem.found == f"names that differ in their last part: {names[0]}, {names[1]}"


def test_a_last_number_that_several_patients_have_is_told_of() -> None:
    problems = unsaid_visits(subjects(["P000_1", "P000_2", "P001_1", "P001_2", "P002_1"]))
    assert [problem.subject for problem in problems] == ["P000_1", "P001_1"]


@pytest.mark.parametrize(
    "names",
    [
        [f"BraTS20_Training_{number:03}" for number in range(1, 30)],
        [f"BraTS20_Training_{number:03}" for number in range(1, 4)],
        ["BraTS-GLI-00001-000", "BraTS-GLI-00001-001", "BraTS-GLI-00002-000", "BraTS-GLI-00002-001"],
        ["TCGA-02-0006", "TCGA-02-0009", "TCGA-06-0001", "TCGA-06-0002"],
        ["UPENN-GBM-00001_11", "UPENN-GBM-00002_11", "UCSF-PDGM-0004", "UCSF-PDGM-0005"],
        ["BRATS_001", "BRATS_002", "BrainLesion-case-000", "BrainLesion-case-001"],
    ],
)
def test_the_numbers_of_public_cohorts_are_no_visits(names: list[str]) -> None:
    assert unsaid_visits(subjects(names)) == []


def test_visits_that_a_manifest_states_are_no_surprise() -> None:
    assert unsaid_visits(subjects(["P000_v1", "P000_v2"], patient="P000")) == []


@pytest.mark.parametrize(
    "names",
    [
        ["BraTS-PHM-00005", "brats-phm-00005"],
        ["Smith J", "smith_j", "SmithJ"],
        ["P-017", "P017"],
        ["sub-1_11", "sub1-11"],
    ],
)
def test_one_patient_in_two_spellings_is_told_of(names: list[str]) -> None:
    (problem,) = similar_patients(subjects(names))
    assert (problem.code, problem.subject, problem.is_warning) == ("similar_patients", names[0], True)
    assert problem.found == f"patients called {', '.join(names)}"


@pytest.mark.parametrize("names", [["P1-11", "P11-1"], ["P7", "P8"], ["BraTS-GLI-00001-000", "BraTS-MET-00001-000"]])
def test_patients_of_other_letters_or_numbers_are_others(names: list[str]) -> None:
    assert similar_patients(subjects(names)) == []


def test_the_visits_of_one_patient_are_one_spelling() -> None:
    assert similar_patients(subjects(["A-1", "A-2"], patient="A")) == []
