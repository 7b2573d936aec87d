import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from semivae_bundle.evaluation.profile_distance import Readings, fit_usual_profile, held_out_scores, profile_scores

SWAP = Readings(np.array([[1, 0, 2]]), np.ones((1, 3)))


def profiles(n: int, seed: int) -> np.ndarray:
    """A wide common part, and a small firm difference between the first two numbers; of very unlike units."""
    rng = np.random.default_rng(seed)
    common = 5 * rng.normal(size=(n, 1))
    small = 0.1 * rng.normal(size=(n, 2))
    return np.concatenate([common + small + [0.0, 1.0], 1000 * rng.normal(size=(n, 1))], axis=1)


def test_the_distance_is_that_of_the_library_on_standardised_profiles() -> None:
    found = profiles(60, 0)
    usual = fit_usual_profile("a", found)
    z = (found - found.mean(axis=0)) / found.std(axis=0)
    expected = np.sqrt(LedoitWolf(assume_centered=False).fit(z).mahalanobis(z))
    np.testing.assert_allclose(usual.distances(found), expected)


def test_a_doubt_tells_an_exchange_that_a_distance_does_not() -> None:
    usual, new = fit_usual_profile("a", profiles(100, 0)), profiles(50, 1)
    swapped = new[:, [1, 0, 2]]
    assert np.mean(usual.doubts(new, SWAP) < usual.doubts(swapped, SWAP)) > 0.98
    np.testing.assert_allclose(usual.doubts(new, SWAP) * usual.doubts(swapped, SWAP), 1)


def test_a_reading_may_change_signs() -> None:
    found = np.random.default_rng(0).normal(size=(80, 2)) * 0.5 + [0, 1]
    mirror = Readings(np.array([[0, 1]]), np.array([[1.0, -1.0]]))
    doubts = fit_usual_profile("a", found).doubts(found * [1, -1], mirror)
    assert np.median(doubts) > 2


def test_a_name_with_readings_is_scored_by_doubt_and_any_other_by_distance() -> None:
    new = profiles(5, 1)
    for name, expected in (("doubt", "doubts"), ("distance", "distances")):
        usual = fit_usual_profile(name, profiles(40, 0))
        wanted = usual.doubts(new, SWAP) if expected == "doubts" else usual.distances(new)
        np.testing.assert_array_equal(profile_scores(usual, new, {"doubt": SWAP}), wanted)


def test_scores_are_those_of_scans_that_were_not_fitted_on() -> None:
    few = np.random.default_rng(0).normal(size=(25, 20))
    fitted = fit_usual_profile("a", few).distances(few)
    assert held_out_scores("a", few, {}).mean() > 1.1 * fitted.mean()


def test_what_never_varied_does_not_decide_alone() -> None:
    found = np.concatenate([profiles(40, 0), np.zeros((40, 1))], axis=1)
    usual = fit_usual_profile("a", found)
    moved = found[:1] + np.array([0, 0, 0, 1e-4])
    assert usual.distances(moved)[0] == pytest.approx(usual.distances(found[:1])[0], abs=0.5)
