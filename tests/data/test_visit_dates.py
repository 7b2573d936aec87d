"""Dates against the calendar and the order of visits."""

import datetime

from semivae_bundle.data.subjects import Subject
from semivae_bundle.data.visit_dates import odd_dates

TODAY = datetime.date(2026, 1, 31)


def visits(*dates: str | None, names: tuple[str, ...] = ("1", "2", "10")) -> list[Subject]:
    pairs = zip(names, dates, strict=False)
    return [Subject(f"P-{visit}", "P", visit, date, {}, None, {}) for visit, date in pairs]


def test_visits_in_the_order_of_their_dates_are_fine() -> None:
    assert odd_dates(visits("2021-03-01", "2021-03-01", "2022-01-01"), TODAY) == []
    assert odd_dates(visits("2021-03-01", None, "2022-01-01"), TODAY) == []


def test_a_visit_that_is_dated_before_an_earlier_one_is_told_of() -> None:
    (problem,) = odd_dates(visits("2021-03-01", "2022-01-01", "2021-09-01"), TODAY)
    assert (problem.code, problem.subject, problem.is_warning) == ("visit_order", "P-10", True)
    assert (problem.expected, problem.found) == ("a date not before 2022-01-01, that of P-2", "2021-09-01")


def test_visits_without_numbers_have_no_order() -> None:
    assert odd_dates(visits("2021-03-01", "2020-01-01", names=("pre", "post")), TODAY) == []


def test_a_date_to_come_is_told_of() -> None:
    (problem,) = odd_dates(visits("2026-01-31", "2921-02-01"), TODAY)
    assert (problem.code, problem.subject, problem.found) == ("future_date", "P-2", "2921-02-01")
    assert problem.is_warning
