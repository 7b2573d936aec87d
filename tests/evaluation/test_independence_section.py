from dataclasses import replace

import numpy as np
import pytest

from semivae_bundle.evaluation.independence import independence
from semivae_bundle.evaluation.latent_options import LatentOptions

PARTITION = {"vol": 2, "loc": 2, "residual": 3}
OPTIONS = LatentOptions(neighbours=5, folds=3, trees=5, draws=800, false_discovery_rate=0.05, seed=0)


def section(means: np.ndarray) -> dict:
    return independence(means, PARTITION, [str(i) for i in range(len(means))], 49, 0, OPTIONS)


@pytest.fixture
def means() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 7))


def test_a_dimension_copied_to_another_partition_is_found_between_the_two_and_nowhere_else(means: np.ndarray) -> None:
    means[:, 3] = -means[:, 0]
    found = section(means)
    for statistic in ("correlation", "distance_correlation", "normalised_mutual_information"):
        counts = {pair: block[statistic]["discoveries"] for pair, block in found["dimensions"]["blocks"].items()}
        assert counts == {pair: int(pair == "vol-loc") for pair in counts}
    assert found["pairs"]["vol-loc"]["q_value"] == pytest.approx(3 / 50)
    assert found["pairs"]["vol-residual"]["q_value"] > 0.06
    assert (found["dimensions"]["strongest"][0]["a"], found["dimensions"]["strongest"][0]["b"]) == ("vol_00", "loc_01")


def test_blocks_cover_each_pair_of_dimensions_once(means: np.ndarray) -> None:
    found = section(means)["dimensions"]
    assert sum(block["pairs"] for block in found["blocks"].values()) == found["pairs"] == 21
    assert found["blocks"]["vol-vol"]["pairs"] == 1
    assert found["blocks"]["loc-residual"]["pairs"] == 6


def test_q_values_are_not_below_p_values(means: np.ndarray) -> None:
    assert all(pair["q_value"] >= pair["p_value"] for pair in section(means)["pairs"].values())


def test_it_says_how_few_pairs_the_draws_can_tell(means: np.ndarray) -> None:
    found = independence(means, PARTITION, [str(i) for i in range(100)], 49, 0, replace(OPTIONS, draws=199))
    assert (
        found["dimensions"]["fewest_pairs_that_draws_can_tell"] == 2
    )  # 16 pairs between partitions / 200 / 0.05 = 1.6


@pytest.mark.parametrize("count", [2, 3, 5, 19])
def test_few_patients_have_partitions_but_no_dimensions(means: np.ndarray, count: int) -> None:
    found = section(means[:count])
    assert found["dimensions"] == {"missing": f"{count} patients; at least 20 are needed"}
    assert set(found["pairs"]) == {"vol-loc", "vol-residual", "loc-residual"}


def test_a_code_without_active_dimensions_says_so(means: np.ndarray) -> None:
    assert section(0 * means)["dimensions"] == {"missing": "fewer than two active dimensions"}


def test_it_counts_the_correlations_that_the_largest_is_of(means: np.ndarray) -> None:
    means[:, 1] = 0.0  # not active
    assert section(means)["correlations"] == 1 * 2 + 1 * 3 + 2 * 3


def test_a_second_visit_that_repeats_the_first_changes_nothing(means: np.ndarray) -> None:
    patients = [str(i // 2) for i in range(200)]
    twice = independence(np.repeat(means, 2, axis=0), PARTITION, patients, 49, 0, OPTIONS)
    assert twice["patients"] == 100
    for pair, alone in section(means)["pairs"].items():
        assert twice["pairs"][pair] == pytest.approx(alone)
