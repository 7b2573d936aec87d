"""Repeatability against variances that were put in."""

import numpy as np
import pytest
from scipy.stats import f_oneway

from semivae_bundle.evaluation.bootstrap import FloatArray, patient_resamples
from semivae_bundle.evaluation.repeatability import repeatability

PATIENTS = [f"p{i}" for i in range(400)]


def repeated(between: float, within: float, scans: int = 400, repeats: int = 4) -> FloatArray:
    rng = np.random.default_rng(0)
    truth = between * rng.standard_normal((scans, 1, 1))
    return 7 + truth + within * rng.standard_normal((scans, repeats, 1))


def counts_of(scans: int, resamples: int = 200) -> FloatArray:
    return patient_resamples(PATIENTS[:scans], resamples, seed=0)


@pytest.mark.parametrize(("between", "within"), [(2.0, 1.0), (1.0, 3.0), (1.0, 0.1)])
def test_variances_that_were_put_in_are_found(between: float, within: float) -> None:
    (one,) = repeatability(repeated(between, within), counts_of(400), 0.95)
    assert one.within_sd.value == pytest.approx(within, rel=0.05)
    assert one.coefficient == pytest.approx(2.772 * one.within_sd.value, rel=1e-3)
    assert one.between_sd == pytest.approx(between, rel=0.15)
    assert one.icc.value == pytest.approx(between**2 / (between**2 + within**2), abs=0.05)
    for figure, truth in ((one.within_sd, within), (one.icc, between**2 / (between**2 + within**2))):
        assert figure.low < truth < figure.high
        assert figure.high - figure.low < 0.4 * max(truth, 0.3)


def test_the_mean_squares_are_those_of_an_analysis_of_variance() -> None:
    values = repeated(1.0, 1.0, scans=12, repeats=3)
    (one,) = repeatability(values, counts_of(12), 0.95)
    ratio = f_oneway(*values[:, :, 0]).statistic  # between / within
    assert one.icc.value == pytest.approx((ratio - 1) / (ratio + 2), abs=1e-10)
    assert one.within_sd.value**2 == pytest.approx(values[:, :, 0].var(axis=1, ddof=1).mean())


def test_repeats_that_agree_have_an_icc_of_one_and_scans_that_agree_none_between() -> None:
    truth = np.arange(5.0)[:, None, None]
    (one,) = repeatability(np.repeat(truth, 3, axis=1), counts_of(5), 0.95)
    assert (one.within_sd.value, one.coefficient, one.icc.value) == (0, 0, 1)
    (none,) = repeatability(np.tile(np.array([0.0, 1.0, 2.0])[None, :, None], (5, 1, 1)), counts_of(5), 0.95)
    assert none.between_sd == 0
    assert none.icc.value == pytest.approx(-0.5)


def test_a_figure_that_never_varies_has_no_icc() -> None:
    (one,) = repeatability(np.ones((4, 3, 1)), counts_of(4), 0.95)
    assert np.isnan(one.icc.value)
    assert one.within_sd.value == 0


def test_nine_patients_have_no_interval() -> None:
    (one,) = repeatability(repeated(1.0, 0.1, scans=9), counts_of(9), 0.95)
    assert one.icc.value > 0.9
    assert np.isnan([one.icc.low, one.icc.high, one.within_sd.low, one.within_sd.high]).all()


def test_each_figure_stands_for_itself() -> None:
    both = np.concatenate([repeated(1.0, 0.1, scans=20), repeated(0.1, 1.0, scans=20)], axis=2)
    counts = counts_of(20)
    for q, one in enumerate(repeatability(both, counts, 0.9)):
        (alone,) = repeatability(both[:, :, [q]], counts, 0.9)
        for name in ("within_sd", "icc"):
            assert vars(getattr(one, name)) == pytest.approx(vars(getattr(alone, name)))


@pytest.mark.parametrize("shape", [(1, 4, 2), (4, 1, 2)])
def test_one_scan_or_one_repeat_says_nothing(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"at least 2 scans and 2 repeats, found {shape[0]} and {shape[1]}"):
        repeatability(np.zeros(shape), counts_of(shape[0]), 0.95)
