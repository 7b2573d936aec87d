from typing import Any

import numpy as np
import pytest

from semivae_bundle.evaluation.disentanglement import disentanglement
from semivae_bundle.evaluation.factor_table import FactorTable
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.probes import probe_partitions, readable

PARTITION = {"vol": 2, "loc": 3, "residual": 5}
OPTIONS = LatentOptions(neighbours=5, folds=4, trees=20, draws=300, false_discovery_rate=0.05, seed=0)
PATIENTS = [str(i) for i in range(200)]
COUNT = 200


def scores(codes: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    factors = FactorTable(("a", "x", "y"), ("vol", "loc", "loc"), values)
    held = readable(probe_partitions(codes, factors, PARTITION, PATIENTS, OPTIONS))
    return disentanglement(codes, factors, held, PARTITION, PATIENTS, OPTIONS)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(COUNT, 3))


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(COUNT, 10))


def test_factors_in_their_own_dimensions_are_near_1_everywhere(values: np.ndarray, noise: np.ndarray) -> None:
    codes = np.column_stack([values[:, 0], noise[:, 0], values[:, 1:], noise[:, :6]])
    found = scores(codes, values)
    for part in (found["dimensions"], found["partitions"]):
        for name in ("mig", "modularity", "dci_disentanglement", "dci_completeness"):
            assert part[name] > 0.75, name
    assert found["dimensions"]["informative_dimensions"] == 3
    assert found["partitions"]["lead_of_claimed"] > 0.9
    assert found["partitions"]["held_where_claimed"] == 1


def test_a_factor_spread_inside_its_partition_costs_dimensions_and_not_partitions(
    values: np.ndarray, noise: np.ndarray
) -> None:
    angle = np.array([[0.8, -0.6], [0.6, 0.8]])
    codes = np.column_stack([values[:, 0], values[:, 0], values[:, 1:] @ angle, noise[:, :6]])
    found = scores(codes, values)
    assert found["dimensions"]["mig"] < 0.35
    assert found["dimensions"]["sap"] < 0.35
    assert found["partitions"]["mig"] > 0.9
    assert found["partitions"]["dci_completeness"] > 0.9


def test_partitions_that_hold_each_others_factors_lead_by_less_than_0(values: np.ndarray, noise: np.ndarray) -> None:
    codes = np.column_stack([values[:, 1:], values[:, 0], noise[:, :7]])
    found = scores(codes, values)["partitions"]
    assert found["mig"] > 0.9
    assert found["lead_of_claimed"] < -0.9
    assert found["held_where_claimed"] == 0


def test_a_factor_held_in_two_partitions_has_no_gap(values: np.ndarray, noise: np.ndarray) -> None:
    codes = np.column_stack([values[:, 0], noise[:, 0], values[:, 1:], noise[:, 1:4], values])
    found = scores(codes, values)
    assert found["dimensions"]["mig"] == pytest.approx(0, abs=1e-6)
    assert found["partitions"]["mig"] < 0.05


def test_noise_holds_nothing(values: np.ndarray, noise: np.ndarray) -> None:
    found = scores(noise, values)
    assert found["dimensions"]["informative_dimensions"] == 0
    assert np.isnan(found["dimensions"]["modularity"])
    assert found["partitions"]["mig"] < 0.05


def test_constant_codes_have_no_figures_that_pretend(values: np.ndarray) -> None:
    found = scores(np.ones((COUNT, 10)), values)
    assert (found["dimensions"]["mig"], found["dimensions"]["sap"], found["partitions"]["mig"]) == (0, 0, 0)
    assert np.isnan(found["partitions"]["dci_completeness"])


def test_a_dimension_that_is_not_active_counts_as_constant(values: np.ndarray) -> None:
    found = scores(0.01 * np.column_stack([values, values, values, values[:, 0]]), values)
    assert (found["dimensions"]["mig"], found["dimensions"]["informative_dimensions"]) == (0, 0)


def test_constant_dimensions_beside_a_perfect_code_change_nothing(values: np.ndarray) -> None:
    spare = {**PARTITION, "residual": 95}
    factors = FactorTable(("a", "x", "y"), ("vol", "loc", "loc"), values)
    codes = np.column_stack([values, np.zeros((COUNT, 97))])
    held = readable(probe_partitions(codes, factors, spare, PATIENTS, OPTIONS))
    found = disentanglement(codes, factors, held, spare, PATIENTS, OPTIONS)["dimensions"]
    assert found["modularity"] > 0.95
    assert (found["informative_dimensions"], found["pairs"]) == (3, 9)


def test_it_says_how_few_pairs_the_draws_can_tell(values: np.ndarray, noise: np.ndarray) -> None:
    # 10 dimensions and 3 factors: 30 / 301 / 0.05 = 1.99.
    assert scores(noise, values)["dimensions"]["fewest_pairs_that_draws_can_tell"] == 2


def test_it_says_why_there_is_no_robustness_to_interventions(values: np.ndarray, noise: np.ndarray) -> None:
    irs = scores(noise, values)["irs"]
    assert irs["value"] is None
    assert "1811.00007" in irs["missing"]
