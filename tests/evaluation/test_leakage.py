import numpy as np
import pytest

from semivae_bundle.evaluation.factor_table import FactorTable
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.leakage import leakage, shared_r2

OPTIONS = LatentOptions(neighbours=5, folds=4, trees=20, draws=50, false_discovery_rate=0.05, seed=0)
NAMES = ("vol", "loc", "residual")
PATIENTS = [str(i) for i in range(200)]


@pytest.fixture
def factors() -> FactorTable:
    """Two volumes that share half, a location of its own."""
    rng = np.random.default_rng(0)
    one, other, place = rng.normal(size=(3, 200))
    return FactorTable(
        ("a", "b", "x"), ("vol", "vol", "loc"), np.stack([one, (one + other) / np.sqrt(2), place], axis=1)
    )


def test_features_tell_of_each_other_what_they_share(factors: FactorTable) -> None:
    found = shared_r2(factors, NAMES, PATIENTS, OPTIONS)["ridge"]
    np.testing.assert_allclose(found[0], [0.5, 0.5, 0.0], atol=0.1)  # from the volumes, but for the feature itself
    np.testing.assert_allclose(found[1], 0, atol=0.1)
    np.testing.assert_array_equal(found[2], 0)  # the residual claims none
    np.testing.assert_allclose(found[3], [0.5, 0.5, 0.0], atol=0.1)


def test_a_missing_value_of_another_feature_is_no_obstacle(factors: FactorTable) -> None:
    factors.values[:40, 0] = np.nan
    found = shared_r2(factors, NAMES, PATIENTS, OPTIONS)
    assert np.isfinite(found["ridge"]).all()
    assert 0.2 < found["ridge"][0, 1] < 0.5


def test_the_excess_is_what_the_shared_part_does_not_explain(factors: FactorTable) -> None:
    r2 = {"ridge": np.array([[0.9, 0.9, 0.3], [0.4, -0.2, 0.9], [0.0, 0.0, 0.1]])}
    shared = {"ridge": np.array([[0.5, 0.5, 0.1], [-0.3, -0.1, 0.0], [0.0, 0.0, 0.0], [0.5, 0.5, 0.1]])}
    found = leakage(r2, shared, factors, NAMES, PATIENTS)
    excess = {(row["partition"], row["feature"]): row["excess"] for row in found["table"]}
    assert excess["vol", "x"] == pytest.approx(0.2)
    assert excess["loc", "a"] == pytest.approx(0.4)
    assert excess["loc", "b"] == 0
    assert excess["vol", "a"] is excess["loc", "x"] is None
    assert [found["largest_excess"][name]["feature"] for name in NAMES] == ["x", "a", "x"]
    assert found["from_all_other_features"]["ridge"] == {"a": 0.5, "b": 0.5, "x": 0.1}


def test_a_row_counts_the_patients_who_have_the_feature_and_no_scans(factors: FactorTable) -> None:
    factors.values[40:, 1] = np.nan
    r2, shared = {"ridge": np.zeros((3, 3))}, {"ridge": np.zeros((4, 3))}
    found = leakage(r2, shared, factors, NAMES, [f"p{i // 2}" for i in range(200)])
    assert {row["feature"]: row["patients"] for row in found["table"]} == {"a": 100, "b": 20, "x": 100}


def test_a_partition_that_claims_everything_leaks_nothing() -> None:
    one = FactorTable(("a",), ("vol",), np.zeros((5, 1)))
    found = leakage({"ridge": np.ones((1, 1))}, {"ridge": np.zeros((2, 1))}, one, ["vol"], list("abcde"))
    assert found["largest_excess"] == {"vol": None}
