"""Names that look like one patient where nothing says so: each would be a patient of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from semivae_bundle.data.problems import Problem, ProblemCode
from semivae_bundle.data.subjects import Subject
from semivae_bundle.data.wording import listed

_WORDS = "v|visit|ses|session|tp|timepoint|time|baseline|followup|fu|pre|post|day|week|month"
_MARKED = re.compile(rf"(?P<stem>.+?)[-_. ](?:{_WORDS})[-_. ]?\d*", re.IGNORECASE)
# "P000_1": a number after a number. BraTS20_Training_001 has one too, but shares its stem with the whole cohort.
_NUMBERED = re.compile(r"(?P<stem>.*\d)[-_. ]\d{1,3}")
MOST_VISITS = 10
# Between two digits a mark tells numbers apart: P1-11 is not P11-1.
_MARKS = re.compile(r"(?<!\d)[-_. ]+|[-_. ]+(?!\d)")


def unsaid_visits(subjects: Sequence[Subject]) -> list[Problem]:
    """A warning for every group of subjects whose names differ in a last part that looks like a visit."""
    marked: dict[str, list[str]] = defaultdict(list)
    numbered: dict[str, list[str]] = defaultdict(list)
    for name in [one.subject for one in subjects if one.patient == one.subject]:
        if match := _MARKED.fullmatch(name):
            marked[match["stem"]].append(name)
        elif match := _NUMBERED.fullmatch(name):
            numbered[match["stem"]].append(name)
    several = [names for names in numbered.values() if 1 < len(names) <= MOST_VISITS]
    # One such group alone may be all there is of a numbered cohort.
    groups = [names for names in marked.values() if len(names) > 1] + (several if len(several) > 1 else [])
    return [
        Problem(
            ProblemCode.UNSAID_VISITS,
            names[0],
            "",
            "one scan of a patient, or a visit as in BraTS-GLI-00123-001",
            f"names that differ in their last part: {listed(names)}",
            "taken as patients of their own, so one patient may be in training and in test: if they are visits, list "
            "them in a manifest (subject, visit, date and the files), and give it to every step",
        )
        for names in groups
    ]


def similar_patients(subjects: Sequence[Subject]) -> list[Problem]:
    """A warning for every group of patients whose names differ in nothing but case, blanks and marks."""
    spellings: dict[str, dict[str, str]] = defaultdict(dict)
    for one in subjects:
        plain = re.sub(r"[-_. ]+", "-", _MARKS.sub("", one.patient.casefold()))
        spellings[plain].setdefault(one.patient, one.subject)
    return [
        Problem(
            ProblemCode.SIMILAR_PATIENTS,
            next(iter(own.values())),
            "",
            "one spelling of a patient's name",
            f"patients called {listed(list(own))}",
            "taken as patients of their own, so one patient may be in training and in test: if they are one, write "
            "them alike in the manifest or in the files' names",
        )
        for own in spellings.values()
        if len(own) > 1
    ]
