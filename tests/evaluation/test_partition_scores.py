import numpy as np
import pytest

from semivae_bundle.evaluation.partition_scores import averaged_over_groups, lead_of_claimed, partition_importance


def test_partitions_of_one_dimension_have_the_size_of_the_weight() -> None:
    codes = np.random.default_rng(0).normal(size=(50, 2))
    codes /= codes.std(axis=0)
    found = partition_importance(codes, np.array([[0.5, 0.0], [-2.0, 1.0]]), {"vol": 1, "loc": 1})
    np.testing.assert_allclose(found, [[0.5, 0.0], [2.0, 1.0]])


def test_small_weights_of_many_dimensions_do_not_add_up_to_a_large_one() -> None:
    rng = np.random.default_rng(0)
    codes, weights = rng.normal(size=(5000, 101)), 0.01 * rng.choice([-1, 1], size=(101, 1))
    weights[0] = 0.5
    found = partition_importance(codes, weights, {"vol": 1, "residual": 100})
    np.testing.assert_allclose(found[:, 0], [0.5, 0.1], rtol=0.05)


def test_one_factor_spread_over_dimensions_counts_in_full() -> None:
    code = np.random.default_rng(0).normal(size=(500, 1))
    copies = np.repeat(code / code.std(), 4, axis=1)
    assert partition_importance(copies, np.full((4, 1), 0.25), {"vol": 4}).item() == pytest.approx(1)


def test_factors_of_one_claim_count_as_one() -> None:
    held = np.array([[0.9, 0.1, 0.3], [0.0, 0.6, 0.8]])
    np.testing.assert_allclose(averaged_over_groups(held, ["vol", "loc", "loc"]), [[0.9, 0.2], [0.0, 0.7]])


def test_the_lead_is_below_0_where_another_partition_holds_more() -> None:
    held = np.array([[0.9, 0.1, 0.3], [0.2, 0.6, 0.1], [0.0, 0.7, 0.1]])
    found = lead_of_claimed(held, ["vol", "loc", "residual"], ["vol", "loc", "vol"])
    np.testing.assert_allclose(found, [0.7, -0.1, 0.2])


def test_a_single_partition_leads_by_all_it_holds() -> None:
    np.testing.assert_allclose(lead_of_claimed(np.array([[0.4]]), ["vol"], ["vol"]), [0.4])
