import numpy as np
import pytest

from semivae_bundle.evaluation.latent_independence import (
    Dependence,
    chance_correlation,
    distance_correlations,
    kl_per_partition,
)
from semivae_bundle.training.latent_metrics import correlation_matrix, max_correlation

PARTITION = {"vol": 1, "loc": 1, "shape": 4}


def test_chance_level_of_two_independent_normals_is_1_96_over_root_n() -> None:
    means = np.random.default_rng(0).normal(size=(400, 6))
    found = chance_correlation(means, PARTITION, permutations=2000, seed=0)
    assert found["vol", "loc"] == pytest.approx(1.96 / np.sqrt(400), rel=0.08)


def test_more_pairs_reach_more_by_chance() -> None:
    means = np.random.default_rng(0).normal(size=(100, 6))
    found = chance_correlation(means, PARTITION, permutations=500, seed=0)
    assert found["vol", "shape"] > found["vol", "loc"]


def test_copied_dimensions_exceed_chance_by_far() -> None:
    means = np.random.default_rng(0).normal(size=(100, 6))
    means[:, 1] = means[:, 0]
    chance = chance_correlation(means, PARTITION, permutations=200, seed=0)
    assert max_correlation(means, PARTITION)["vol", "loc"] == pytest.approx(1)
    assert chance["vol", "loc"] < 0.3


def test_the_chance_level_is_repeatable() -> None:
    means = np.random.default_rng(0).normal(size=(30, 6))
    first, second = (chance_correlation(means, PARTITION, permutations=20, seed=1) for _ in range(2))
    assert first == second


def test_two_subjects_have_no_chance_level() -> None:
    found = chance_correlation(np.random.default_rng(0).normal(size=(2, 6)), PARTITION, permutations=5, seed=0)
    assert np.isnan(list(found.values())).all()


def dependence_of(
    means: np.ndarray, *, permutations: int, seed: int, visits: int = 1
) -> dict[tuple[str, str], Dependence]:
    patients = [str(k // visits) for k in range(len(means))]
    return distance_correlations(means, PARTITION, patients, permutations=permutations, seed=seed)


def test_visits_are_not_taken_for_independent_subjects() -> None:
    rng, low = np.random.default_rng(2), 0
    for k in range(100):
        visits = np.repeat(rng.normal(size=(12, 6)), 3, axis=0) + 0.01 * rng.normal(size=(36, 6))
        low += dependence_of(visits, permutations=19, seed=k, visits=3)["vol", "shape"].p_value <= 0.1
    assert low < 22


def test_dependence_without_correlation_has_a_distance_correlation_and_a_small_p() -> None:
    means = np.random.default_rng(0).normal(size=(120, 6))
    means[:, 1] = means[:, 0] ** 2
    found = dependence_of(means, permutations=199, seed=0)
    assert abs(np.corrcoef(means[:, 0], means[:, 1])[0, 1]) < 0.3
    assert found["vol", "loc"].distance_correlation > 0.4
    assert found["vol", "loc"].p_value == 1 / 200
    assert found["vol", "shape"].distance_correlation < 0.2


def test_dimensions_that_are_not_active_do_not_count() -> None:
    means = np.random.default_rng(0).normal(size=(40, 6))
    means[:, 1] = 0.05 * means[:, 0]
    found = dependence_of(means, permutations=10, seed=0)
    assert found["vol", "loc"].distance_correlation == 0


def test_a_copy_has_distance_correlation_one_and_a_constant_none() -> None:
    means = np.random.default_rng(0).normal(size=(40, 6))
    means[:, 1] = -3 * means[:, 0]
    means[:, 2:] = 1.0
    found = dependence_of(means, permutations=10, seed=0)
    assert found["vol", "loc"].distance_correlation == pytest.approx(1)
    assert found["vol", "shape"].distance_correlation == 0


def test_p_values_of_independent_partitions_are_even() -> None:
    rng = np.random.default_rng(1)
    values = [
        dependence_of(rng.normal(size=(20, 6)), permutations=19, seed=k)["vol", "shape"].p_value for k in range(200)
    ]
    assert np.mean(np.array(values) <= 0.2) == pytest.approx(0.2, abs=0.1)
    assert np.mean(np.array(values) <= 0.5) == pytest.approx(0.5, abs=0.12)


def test_three_subjects_have_no_distance_correlation() -> None:
    found = dependence_of(np.random.default_rng(0).normal(size=(3, 6)), permutations=5, seed=0)
    assert all(np.isnan([d.distance_correlation, d.p_value]).all() for d in found.values())


def test_correlation_matrix_has_ones_for_itself_and_zeros_for_a_constant() -> None:
    means = np.random.default_rng(0).normal(size=(50, 3))
    means[:, 2] = 4.0
    found = correlation_matrix(means)
    np.testing.assert_allclose(np.diag(found), [1, 1, 0], atol=1e-9)
    assert found[0, 1] == pytest.approx(np.corrcoef(means[:, 0], means[:, 1])[0, 1])


def test_kl_of_the_prior_is_zero_and_of_a_shifted_posterior_half_its_square() -> None:
    means, log_vars = np.zeros((5, 6)), np.zeros((5, 6))
    means[:, 2:] = 2.0
    assert kl_per_partition(means, log_vars, PARTITION) == pytest.approx({"vol": 0, "loc": 0, "shape": 4 * 2.0})
