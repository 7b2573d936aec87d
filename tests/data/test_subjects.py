"""Names and records of subjects."""

import json

import pytest

from semivae_bundle.data.problems import Problem, ProblemCode, Quarantined
from semivae_bundle.data.subjects import ImageRef, Subject, parse_name


@pytest.mark.parametrize(
    ("name", "patient", "visit"),
    [
        ("BraTS-GLI-00123-001", "BraTS-GLI-00123", "001"),
        ("BraTS-MET-00123-000", "BraTS-MET-00123", "000"),
        ("BraTS-MEN-RT-0012-1", "BraTS-MEN-RT-0012", "1"),
        ("BraTS20_Training_001", "BraTS20_Training_001", "000"),
        ("TCGA-DU-7294", "TCGA-DU-7294", "000"),
        ("BrainLesion-case-000", "BrainLesion-case-000", "000"),
    ],
)
def test_patient_and_visit_are_told_from_the_name(name: str, patient: str, visit: str) -> None:
    assert parse_name(name) == (patient, visit)


def test_a_subject_survives_json() -> None:
    images = {"t1c": ImageRef("a.nii.gz", 2), "t1n": ImageRef("b.nii")}
    subject = Subject("A-1", "A", "1", "2020-01-31", images, "m.nii", {0: 0, 4: 3}, "LPS")
    assert Subject.from_dict(json.loads(json.dumps(subject.to_dict()))) == subject


def test_a_problem_survives_json_and_reads_as_one_sentence() -> None:
    problem = Problem(ProblemCode.EMPTY_MASK, "A", "A/seg.nii", "some tumour", "only 0", "draw it")
    entry = Quarantined("A", (problem,))
    assert Quarantined.from_dict(json.loads(json.dumps(entry.to_dict()))) == entry
    assert str(problem) == "A: A/seg.nii: empty_mask: expected some tumour, found only 0; draw it"
