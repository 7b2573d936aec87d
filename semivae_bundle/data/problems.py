"""What can be wrong with a cohort, each with what was expected, what was found and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class CohortError(ValueError):
    """A cohort that cannot be used as asked; the message says which part and how to go on."""


class ProblemCode(StrEnum):
    """Stable names of the kinds of problem, as they stand in cohort.json."""

    MISSING_MODALITY = "missing_modality"
    MISSING_MASK = "missing_mask"
    DUPLICATE_MODALITY = "duplicate_modality"
    DUPLICATE_MASK = "duplicate_mask"
    DUPLICATE_NAME = "duplicate_name"
    UNUSABLE_NAME = "unusable_name"
    INVALID_DATASET_JSON = "invalid_dataset_json"
    UNREADABLE_FILE = "unreadable_file"
    UNREADABLE_FOLDER = "unreadable_folder"
    WRONG_DIMENSIONS = "wrong_dimensions"
    THIN_VOLUME = "thin_volume"
    INVALID_HEADER = "invalid_header"
    GRID_MISMATCH = "grid_mismatch"
    NOT_FINITE = "not_finite"
    CONSTANT_IMAGE = "constant_image"
    MASK_AS_IMAGE = "mask_as_image"
    DUPLICATE_IMAGE = "duplicate_image"
    FRACTIONAL_LABELS = "fractional_labels"
    NEGATIVE_LABELS = "negative_labels"
    UNKNOWN_LABELS = "unknown_labels"
    LABELS_3_AND_4 = "labels_3_and_4"
    EMPTY_MASK = "empty_mask"
    MASK_OUTSIDE_BRAIN = "mask_outside_brain"
    # From here on: warnings, which keep the subject.
    AMBIGUOUS_ORIENTATION = "ambiguous_orientation"
    NO_BACKGROUND = "no_background"
    UNRECOGNISED_FILE = "unrecognised_file"
    DUPLICATE_SUBJECT = "duplicate_subject"
    ABSENT_MODALITY = "absent_modality"
    INVALID_DATE = "invalid_date"
    BRAIN_OUTSIDE_VIEW = "brain_outside_view"
    IMPLAUSIBLE_SIZE = "implausible_size"
    UNSAID_VISITS = "unsaid_visits"
    ANOTHER_HEAD = "another_head"
    SIMILAR_PATIENTS = "similar_patients"
    FUTURE_DATE = "future_date"
    VISIT_ORDER = "visit_order"
    ONE_LABEL = "one_label"


WARNING_CODES = frozenset(
    {
        ProblemCode.AMBIGUOUS_ORIENTATION,
        ProblemCode.NO_BACKGROUND,
        ProblemCode.UNRECOGNISED_FILE,
        ProblemCode.DUPLICATE_SUBJECT,
        ProblemCode.ABSENT_MODALITY,
        ProblemCode.INVALID_DATE,
        ProblemCode.BRAIN_OUTSIDE_VIEW,
        ProblemCode.IMPLAUSIBLE_SIZE,
        ProblemCode.UNSAID_VISITS,
        ProblemCode.ANOTHER_HEAD,
        ProblemCode.SIMILAR_PATIENTS,
        ProblemCode.FUTURE_DATE,
        ProblemCode.VISIT_ORDER,
        ProblemCode.ONE_LABEL,
    }
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with one subject. `file` is relative to the dataset folder, empty where none is to blame."""

    code: ProblemCode
    subject: str
    file: str
    expected: str
    found: str
    remedy: str

    @property
    def is_warning(self) -> bool:
        """Whether the subject stays usable."""
        return self.code in WARNING_CODES

    def __str__(self) -> str:
        place = f"{self.subject}: {self.file}" if self.file else self.subject
        return f"{place}: {self.code}: expected {self.expected}, found {self.found}; {self.remedy}"

    def to_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, str]) -> Problem:
        """Inverse of `to_dict`."""
        return cls(**{**record, "code": ProblemCode(record["code"])})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Quarantined:
    """A subject that is kept out of everything, and why. `problems` holds its warnings too."""

    subject: str
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"subject": self.subject, "problems": [problem.to_dict() for problem in self.problems]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Quarantined:
        """Inverse of `to_dict`."""
        return cls(record["subject"], tuple(Problem.from_dict(problem) for problem in record["problems"]))


@contextmanager
def naming(subject: str) -> Iterator[None]:
    """Whatever cannot be done with a scan inside is a ValueError that says whose it is."""
    try:
        yield
    except Exception as error:
        reason: BaseException = error
        while reason.__cause__ is not None:
            reason = reason.__cause__
        # MONAI's go on for pages: the reason is in the first line.
        told = str(reason).partition("\n")[0]
        raise ValueError(f"{subject}: {told}; correct the scan, or take it out of the folder") from error
