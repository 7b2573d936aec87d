"""Predictions weighted by how exact they have been."""

import numpy as np
import pytest

from semivae_bundle.evaluation.fusion import fuse, precision_weights


def predictions(*errors: float, subjects: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """A model per error: unbiased, independent, of that standard deviation in both of two features."""
    generator = np.random.default_rng(0)
    measured = generator.normal(size=(subjects, 2))
    return np.stack([measured + generator.normal(scale=error, size=measured.shape) for error in errors]), measured


def test_weights_are_inverse_mean_squared_errors_that_add_up_to_one() -> None:
    measured = np.array([[0.0, 1.0], [2.0, 3.0]])
    predicted = np.stack([measured + 1.0, measured - 0.5])
    np.testing.assert_allclose(precision_weights(predicted, measured), [[0.2, 0.2], [0.8, 0.8]])


def test_fused_is_better_than_the_best_and_as_good_as_theory_says() -> None:
    predicted, measured = predictions(0.5, 0.5, 1.0, 2.0)
    fused = fuse(predicted, precision_weights(predicted, measured))
    variance = 1 / (4 + 4 + 1 + 0.25)
    assert np.square(fused - measured).mean() == pytest.approx(variance, rel=0.05)
    assert variance < 0.5 * 0.5


def test_a_feature_has_weights_of_its_own_and_absent_values_do_not_count() -> None:
    measured = np.array([[0.0, 0.0], [0.0, np.nan], [0.0, np.nan]])
    predicted = np.array([[[0.1, 3.0], [0.1, 0.0], [0.1, 0.0]], [[0.3, 1.0], [0.3, 99.0], [0.3, 99.0]]])
    np.testing.assert_allclose(precision_weights(predicted, measured), [[0.9, 0.1], [0.1, 0.9]])


def test_a_feature_that_nobody_has_gets_equal_weights() -> None:
    predicted, measured = predictions(0.5, 2.0, subjects=5)
    measured[:, 1] = np.nan
    weights = precision_weights(predicted, measured)
    assert weights[0, 0] > 0.6
    np.testing.assert_array_equal(weights[:, 1], [0.5, 0.5])
    np.testing.assert_array_equal(precision_weights(predicted[:, :0], measured[:0]), np.full((2, 2), 0.5))


def test_two_perfect_models_share_the_weight() -> None:
    predicted, measured = predictions(0.0, 0.0, 1.0, subjects=9)
    np.testing.assert_allclose(precision_weights(predicted, measured)[:, 0], [0.5, 0.5, 0], atol=1e-5)
