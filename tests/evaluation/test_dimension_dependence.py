from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import false_discovery_control, pearsonr

from semivae_bundle.evaluation.dimension_dependence import (
    adjusted_apart,
    correlation_p_values,
    dimension_pairs,
    squared_distance_correlations,
)
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.normal_scores import normal_scores
from semivae_bundle.losses.dependence import squared_distance_correlation

PARTITION = {"vol": 3, "loc": 3}
OPTIONS = LatentOptions(neighbours=5, folds=3, trees=5, draws=400, false_discovery_rate=0.05, seed=0)


def pairs_of(means: np.ndarray, visits: int = 1) -> pd.DataFrame:
    return dimension_pairs(means, PARTITION, [str(k // visits) for k in range(len(means))], OPTIONS)


def test_distance_correlations_are_those_of_each_pair() -> None:
    scores = np.random.default_rng(0).normal(size=(30, 4))
    scores[:, 3] = scores[:, 0] ** 2
    found = squared_distance_correlations(scores)
    for i, j in combinations(range(4), 2):
        one, other = (torch.from_numpy(scores[:, [k]]) for k in (i, j))
        assert found[i, j] == pytest.approx(float(squared_distance_correlation(one, other, epsilon=0)), abs=1e-6)


def test_distance_correlation_follows_its_definition_by_double_sums() -> None:
    x, y = np.random.default_rng(3).normal(size=(2, 12))
    n = len(x)
    centred = []
    for v in (x, y):
        d = np.array([[abs(p - q) for q in v] for p in v])
        u = d - d.sum(1)[:, None] / (n - 2) - d.sum(0)[None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
        centred.append(u[~np.eye(n, dtype=bool)])
    expected = (centred[0] @ centred[1]) / np.sqrt((centred[0] @ centred[0]) * (centred[1] @ centred[1]))
    assert squared_distance_correlations(np.stack([x, y], 1))[0, 1] == pytest.approx(expected, abs=1e-6)


def test_the_p_value_of_a_correlation_is_scipys() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 25))
    found = pearsonr(x, y + 0.4 * x)
    assert correlation_p_values(np.array([found.statistic]), 25)[0] == pytest.approx(found.pvalue, rel=1e-9)
    assert correlation_p_values(np.array([1.0, 1 + 1e-15, 0.0]), 25).tolist() == pytest.approx([0, 0, 1])


def test_for_normal_scores_it_is_that_of_permutation() -> None:
    scores, rng = normal_scores(np.arange(40.0)[:, None], seed=0)[:, 0], np.random.default_rng(0)
    drawn = np.array([np.corrcoef(scores, rng.permutation(scores))[0, 1] for _ in range(4000)])
    p = correlation_p_values(drawn, 40)
    for level in (0.01, 0.05, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=3 * np.sqrt(level / 4000))


def test_a_copy_among_independent_dimensions_is_the_one_discovery() -> None:
    means = np.random.default_rng(0).normal(size=(120, 6))
    means[:, 4] = np.exp(means[:, 0])
    pairs = pairs_of(means)
    assert len(pairs) == 15
    for statistic in ("correlation", "distance_correlation", "normalised_mutual_information"):
        found = pairs[pairs[f"{statistic}_q"] <= 0.05]
        assert list(zip(found.a, found.b, strict=True)) == [("vol_00", "loc_01")]
        assert found[statistic].item() > 0.95


def test_dependence_without_correlation_is_discovered_by_the_other_two() -> None:
    means = np.random.default_rng(1).normal(size=(200, 6))
    means[:, 1] = np.cos(2 * means[:, 0])
    pair = pairs_of(means).set_index(["a", "b"]).loc[("vol_00", "vol_01")]
    assert pair.correlation_q > 0.05
    assert max(pair.distance_correlation_q, pair.normalised_mutual_information_q) <= 0.05


def test_q_values_are_benjamini_and_hochbergs_of_the_pairs_between_and_inside_partitions() -> None:
    pairs = pairs_of(np.random.default_rng(0).normal(size=(60, 6)))
    inside = pairs.of_a == pairs.of_b
    assert (inside.sum(), len(pairs)) == (6, 15)
    for family in (pairs[inside], pairs[~inside]):
        np.testing.assert_allclose(family.correlation_q, false_discovery_control(family.correlation_p))


def test_dependence_inside_partitions_buys_no_false_discoveries_between_them() -> None:
    p, inside = np.array([1e-9] * 900 + [0.03] * 3 + [0.5] * 97), np.arange(1000) < 900
    assert false_discovery_control(p)[900] < 0.05
    assert adjusted_apart(p, inside)[900] == pytest.approx(0.5)


def test_p_values_of_independent_dimensions_are_even() -> None:
    rng = np.random.default_rng(2)
    found = pd.concat([pairs_of(rng.normal(size=(30, 6))) for _ in range(40)])
    for statistic in ("correlation", "distance_correlation", "normalised_mutual_information"):
        assert (found[f"{statistic}_p"] <= 0.1).mean() == pytest.approx(0.1, abs=0.05)


def test_visits_are_averaged_and_so_no_evidence_of_their_own() -> None:
    rng = np.random.default_rng(4)
    found = [pairs_of(np.repeat(rng.normal(size=(25, 6)), 4, axis=0), visits=4).correlation_p for _ in range(30)]
    assert (np.concatenate(found) <= 0.1).mean() < 0.17


def test_inactive_dimensions_are_left_out() -> None:
    means = np.random.default_rng(0).normal(size=(40, 6)) * [1, 1, 0, 1, 0, 0.01]
    assert set(pairs_of(means).a) | set(pairs_of(means).b) == {"vol_00", "vol_01", "loc_00"}
    assert pairs_of(means * [1, 0, 0, 0, 0, 0]).empty
