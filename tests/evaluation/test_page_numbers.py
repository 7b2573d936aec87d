import pytest

from semivae_bundle.evaluation.page_numbers import between, estimate, number, unit


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.5, ".2f", "0.50"),
        (-0.5, ".2f", "−0.50"),
        (-0.004, ".2f", "0.00"),
        (123456.0, ".3g", "123\u202f000"),
        (0.0123, ".3g", "0.0123"),
        (None, ".2f", "–"),
        (float("nan"), ".2f", "–"),
        (float("inf"), ".2f", "–"),
    ],
)
def test_numbers_are_short_and_what_is_none_is_a_dash(value: float | None, digits: str, text: str) -> None:
    assert number(value, digits) == text


def test_half_an_interval_is_none() -> None:
    assert between(0.1, 0.2) == "0.10 to 0.20"
    assert between(0.1, None) == between(float("nan"), 0.2) == "–"


def test_an_estimate_without_an_interval_is_its_value() -> None:
    assert estimate({"value": 0.5, "low": -0.4, "high": 0.6}) == "0.50 (−0.40 to 0.60)"
    assert estimate({"value": 0.5, "low": None, "high": None}) == "0.50"
    assert estimate({"value": None}) == estimate(None) == "–"


def test_units_are_printed_as_people_write_them() -> None:
    assert [unit(name) for name in ("mm3", "mm2", "mm", "1")] == ["mm³", "mm²", "mm", ""]
