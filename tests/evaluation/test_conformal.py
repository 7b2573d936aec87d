import numpy as np
import pytest

from semivae_bundle.evaluation.conformal import (
    TooFewScans,
    conformal_quantile,
    conformal_rank,
    drawn_scans,
    fewest_scans,
    p_value,
)


@pytest.mark.parametrize(
    ("n", "level", "rank"), [(9, 0.9, 9), (10, 0.9, 10), (19, 0.9, 18), (20, 0.9, 19), (3, 0.5, 2), (300, 0.9, 271)]
)
def test_the_rank_is_that_of_the_finite_sample_quantile(n: int, level: float, rank: int) -> None:
    assert conformal_rank(n, level) == rank
    scores = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))
    assert conformal_quantile(scores, level) == rank


@pytest.mark.parametrize(("level", "n"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_scans_are_refused_with_the_number_that_it_takes(level: float, n: int) -> None:
    assert fewest_scans(level) == n
    assert conformal_quantile(np.arange(n, dtype=float), level) == n - 1
    with pytest.raises(TooFewScans, match=f"at least {n} patients .* found {n - 1}; with fewer the interval is inf"):
        conformal_quantile(np.arange(n - 1, dtype=float), level)


@pytest.mark.parametrize("n", [9, 45, 300])
def test_exchangeable_scores_are_covered_as_often_as_promised(n: int) -> None:
    rng = np.random.default_rng(n)
    scores = rng.standard_t(2, size=(20000, n + 1))
    covered = np.mean([row[-1] <= conformal_quantile(row[:-1], 0.9) for row in scores])
    promised = conformal_rank(n, 0.9) / (n + 1)
    assert 0.9 <= promised < 0.9 + 1 / (n + 1)
    assert covered == pytest.approx(promised, abs=4 * np.sqrt(0.09 / 20000))


def test_a_level_outside_of_0_and_1_and_a_score_that_is_no_number_are_refused() -> None:
    for level in (0.0, 1.0, 90):
        with pytest.raises(ValueError, match="expected a probability above 0 and below 1"):
            conformal_quantile(np.arange(20.0), level)
    with pytest.raises(ValueError, match="found 1 that are not"):
        conformal_quantile(np.array([1.0, np.nan]), 0.5)


def test_the_p_value_counts_the_scan_itself() -> None:
    scores = np.arange(1.0, 10.0)
    assert [p_value(x, scores) for x in (0.0, 9.0, 9.5)] == [1.0, 0.2, 0.1]


def test_the_p_value_is_small_as_rarely_as_it_says() -> None:
    rows = np.random.default_rng(0).normal(size=(5000, 40))
    p = np.array([p_value(row[0], row[1:]) for row in rows])
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 5000))


def test_one_eligible_scan_is_drawn_of_each_patient() -> None:
    patients = ["a", "a", "b", "b", "c"]
    eligible = np.array([True, True, False, True, False])
    drawn = {tuple(drawn_scans(patients, eligible, seed).tolist()) for seed in range(20)}
    assert drawn == {(0, 3), (1, 3)}
    assert np.array_equal(drawn_scans(patients, eligible, 4), drawn_scans(patients, eligible, 4))
