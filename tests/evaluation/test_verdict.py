import pytest

from semivae_bundle.evaluation.verdict import Bounded, judge


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.81, 0.9, "pass"), (0.8, 0.9, "pass"), (0.7, 0.9, "open"), (0.7, 0.8, "open"), (0.6, 0.79, "fail")],
)
def test_a_lower_limit_is_judged_by_the_whole_interval(low: float, high: float, outcome: str) -> None:
    assert judge(Bounded((low + high) / 2, low, high), 0.8, at_least=True) == outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.1, 0.3, "pass"), (0.1, 0.35, "pass"), (0.3, 0.4, "open"), (0.35, 0.4, "open"), (0.36, 0.4, "fail")],
)
def test_an_upper_limit_is_judged_the_other_way_round(low: float, high: float, outcome: str) -> None:
    assert judge(Bounded((low + high) / 2, low, high), 0.35, at_least=False) == outcome


def test_a_value_without_an_interval_stays_open_however_good_it_is() -> None:
    assert judge(Bounded(1.0, None, None), 0.8, at_least=True) == "open"
    assert judge(Bounded(1.0, float("nan"), float("nan")), 0.8, at_least=True) == "open"


@pytest.mark.parametrize("value", [None, float("nan")])
def test_no_value_is_missing_and_no_failure(value: float | None) -> None:
    assert judge(Bounded(value, None, None), 0.8, at_least=True) == "missing"
