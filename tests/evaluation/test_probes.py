import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from semivae_bundle.evaluation.factor_table import FactorTable
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.probes import held_out_r2, probe_models, probe_partitions, readable, standardised

OPTIONS = LatentOptions(neighbours=5, folds=4, trees=30, draws=50, false_discovery_rate=0.05, seed=0)


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(160, 4))


def people(n: int, visits: int = 1) -> list[str]:
    return [str(k // visits) for k in range(n)]


def test_it_is_the_r2_of_scikit_learns_predictions_over_the_same_folds(inputs: np.ndarray) -> None:
    y, groups = inputs[:, 0] + np.random.default_rng(1).normal(size=160), people(160, visits=2)
    predicted = cross_val_predict(RidgeCV(alphas=[1.0]), inputs, y, groups=groups, cv=GroupKFold(4))
    assert held_out_r2(RidgeCV(alphas=[1.0]), inputs, y, groups, folds=4) == pytest.approx(r2_score(y, predicted))


def test_a_patients_other_visits_are_no_help(inputs: np.ndarray) -> None:
    x = np.repeat(inputs[:40], 4, axis=0)
    y = np.repeat(np.random.default_rng(1).normal(size=40), 4)
    boosted = probe_models(OPTIONS)["boosted"]
    assert held_out_r2(boosted, x, y, people(160, visits=4), folds=4) < 0.1
    assert held_out_r2(boosted, x, y, people(160), folds=4) > 0.5


def test_boosting_reads_what_ridge_cannot(inputs: np.ndarray) -> None:
    found = {
        name: held_out_r2(model, inputs, inputs[:, 1] ** 2, people(160), folds=4)
        for name, model in probe_models(OPTIONS).items()
    }
    assert found["ridge"] < 0.1
    assert found["boosted"] > 0.6


def test_a_missing_target_does_not_count(inputs: np.ndarray) -> None:
    y = inputs[:, 0] + inputs[:, 1] ** 2
    holes = np.where(np.arange(160) < 120, y, np.nan)
    model = RidgeCV()
    expected = held_out_r2(model, inputs[:120], y[:120], people(120), folds=4)
    assert held_out_r2(model, inputs, holes, people(160), folds=4) == pytest.approx(expected)


def test_no_input_reads_nothing_and_few_patients_have_no_figure(inputs: np.ndarray) -> None:
    y = inputs[:, 0]
    assert held_out_r2(RidgeCV(), inputs[:, :0], y, people(160), folds=4) == 0
    assert np.isnan(held_out_r2(RidgeCV(), inputs[:6], y[:6], people(6, visits=2), folds=4))


def test_active_codes_have_unit_variance_and_the_others_are_0(inputs: np.ndarray) -> None:
    found = standardised(3 + inputs * [1, 0.2, 0.01, 0])
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0, 0], atol=1e-12)


def test_each_partition_is_probed_by_its_own_codes(inputs: np.ndarray) -> None:
    factors = FactorTable(("a", "b"), ("vol", "loc"), inputs[:, [1, 2]])
    found = probe_partitions(inputs, factors, {"vol": 2, "loc": 2}, people(160), OPTIONS)
    np.testing.assert_allclose(found["ridge"], np.eye(2), atol=0.1)
    assert readable(found).min() >= 0
    np.testing.assert_allclose(readable({"x": np.array([[0.2, -3.0]]), "y": np.array([[0.5, -1.0]])}), [[0.5, 0.0]])
