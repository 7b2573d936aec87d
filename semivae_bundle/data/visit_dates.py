"""Dates that contradict the calendar, or the order of a patient's visits."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from semivae_bundle.data.problems import Problem, ProblemCode
from semivae_bundle.data.subjects import Subject


def odd_dates(subjects: Sequence[Subject], today: datetime.date) -> list[Problem]:
    """A warning for each date after `today`, and for each visit that is dated before the one in front of it."""
    dated = [(one.subject, datetime.date.fromisoformat(one.date)) for one in subjects if one.date is not None]
    return [_future(subject, date) for subject, date in dated if date > today] + _out_of_order(subjects)


def _future(subject: str, date: datetime.date) -> Problem:
    return Problem(
        ProblemCode.FUTURE_DATE,
        subject,
        "",
        "a date that has been",
        date.isoformat(),
        "used as it is, for the time between visits; correct it unless all dates of the patient were shifted",
    )


def _out_of_order(subjects: Sequence[Subject]) -> list[Problem]:
    visits: dict[str, list[Subject]] = defaultdict(list)
    for one in subjects:
        # Names such as "pre" and "post" have no order of their own.
        if one.date is not None and one.visit.isdecimal():
            visits[one.patient].append(one)
    return [
        Problem(
            ProblemCode.VISIT_ORDER,
            after.subject,
            "",
            f"a date not before {before.date}, that of {before.subject}",
            str(after.date),
            "used in the order of the dates; correct the date or the visit",
        )
        for own in visits.values()
        for before, after in pairwise(sorted(own, key=lambda one: int(one.visit)))
        if str(after.date) < str(before.date)
    ]
