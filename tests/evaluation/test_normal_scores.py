import numpy as np
from scipy.stats import norm

from semivae_bundle.evaluation.mutual_information import ksg_information
from semivae_bundle.evaluation.normal_scores import normal_scores


def test_scores_are_the_quantiles_of_the_ranks() -> None:
    found = normal_scores(np.array([[30.0], [-5.0], [1e9]]), seed=0)
    np.testing.assert_allclose(found[:, 0], norm.ppf([0.5, 0.25, 0.75]), atol=1e-12)


def test_columns_hold_the_same_scores_whatever_their_distribution_and_ties() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    values[:, 1], values[:, 2] = np.exp(3 * values[:, 1]), np.round(values[:, 2])
    scores = np.sort(normal_scores(values, seed=0), axis=0)
    np.testing.assert_array_equal(scores[:, 0], scores[:, 1])
    np.testing.assert_array_equal(scores[:, 0], scores[:, 2])


def test_ties_are_broken_in_another_order_in_each_column_and_larger_values_stay_larger() -> None:
    values = np.repeat([[0.0, 0.0], [1.0, 1.0]], 100, axis=0)
    one, other = normal_scores(values, seed=0).T
    assert abs(np.corrcoef(one[:100], other[:100])[0, 1]) < 0.25
    assert one[:100].max() < one[100:].min()


def test_ties_are_no_information() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 300)), np.round(rng.normal(size=(60, 300)), 1)
    pairs = [normal_scores(np.stack(pair, axis=1), seed=0).T for pair in zip(x, y, strict=True)]
    assert np.mean([ksg_information(*pair, neighbours=5) for pair in pairs]) < 0.04
    raw = [ksg_information(*pair, neighbours=5) for pair in zip(x, y, strict=True)]
    assert np.mean(raw) > 0.04  # what they are taken for where they stay


def test_a_constant_becomes_0_and_what_is_absent_stays_absent() -> None:
    found = normal_scores(np.array([[4.0, np.nan, np.nan], [4.0, 1.0, np.nan], [4.0, 2.0, np.nan]]), seed=0)
    np.testing.assert_array_equal(found[:, 0], 0)
    np.testing.assert_allclose(found[:, 1], [np.nan, *norm.ppf([1 / 3, 2 / 3])], atol=1e-12)
    assert np.isnan(found[:, 2]).all()
