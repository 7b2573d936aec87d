import numpy as np
import pytest

from semivae_bundle.evaluation.bootstrap import patient_resamples
from semivae_bundle.evaluation.regression import (
    mae_estimate,
    mean_r2_estimate,
    pearson_estimate,
    pooled_r2,
    r2_estimates,
    weighted_pearson,
    weighted_r2,
)
from semivae_bundle.training.latent_metrics import r2_per_feature

N = 60
COUNTS = patient_resamples([str(i) for i in range(N)], 300, seed=0)
TARGET = np.random.default_rng(0).normal(3, 2, size=(N, 2))
PRESENT = np.ones((N, 2), bool)


def test_a_perfect_prediction_has_r2_one_in_every_resample() -> None:
    found, resampled = r2_estimates(TARGET, TARGET, PRESENT, COUNTS, 0.95)
    assert [(one.value, one.low, one.high, one.subjects) for one in found] == [(1.0, 1.0, 1.0, N)] * 2
    np.testing.assert_allclose(resampled, 1.0)


def test_predicting_the_mean_has_r2_zero() -> None:
    found, _ = r2_estimates(np.broadcast_to(TARGET.mean(axis=0), TARGET.shape), TARGET, PRESENT, COUNTS, 0.95)
    assert found[0].value == pytest.approx(0, abs=1e-12)
    assert found[0].high <= 1e-12


def test_a_wrong_constant_has_a_negative_r2() -> None:
    found, _ = r2_estimates(TARGET.mean(axis=0) + TARGET.std(axis=0) + 0 * TARGET, TARGET, PRESENT, COUNTS, 0.95)
    assert found[0].value == pytest.approx(-1)


def test_a_constant_target_has_no_r2_and_no_correlation() -> None:
    found, _ = r2_estimates(TARGET, np.full_like(TARGET, 0.1), PRESENT, COUNTS, 0.95)
    assert np.isnan(found[0].value)
    assert np.isnan(pearson_estimate(TARGET[:, 0], np.full(N, 0.1), PRESENT[:, 0], COUNTS, 0.95).value)


def test_weights_of_one_give_the_metric_that_training_logs() -> None:
    prediction = TARGET + np.random.default_rng(1).normal(size=TARGET.shape)
    found = [weighted_r2(prediction[:, f], TARGET[:, f], np.ones((1, N)))[0] for f in range(2)]
    np.testing.assert_allclose(found, r2_per_feature(prediction, TARGET, PRESENT))


def test_a_weight_of_two_is_a_subject_counted_twice() -> None:
    y, y_hat = TARGET[:20, 0], TARGET[:20, 0] + np.random.default_rng(1).normal(size=20)
    weights = np.ones((1, 20))
    weights[0, :5] = 2
    twice, twice_hat = np.append(y, y[:5]), np.append(y_hat, y_hat[:5])
    ones = np.ones((1, 25))
    np.testing.assert_allclose(weighted_r2(y_hat, y, weights), weighted_r2(twice_hat, twice, ones))
    np.testing.assert_allclose(weighted_pearson(y_hat, y, weights), np.corrcoef(twice_hat, twice)[0, 1])


def test_the_interval_of_r2_holds_the_true_value() -> None:
    noise = np.random.default_rng(2).normal(size=TARGET.shape)
    found, _ = r2_estimates(TARGET + noise, TARGET, PRESENT, COUNTS, 0.95)
    for one in found:
        assert one.low < 0.75 < one.high  # 1 - noise variance 1 / target variance 4
        assert one.low < one.value < one.high


def test_pearson_ignores_scale_and_offset_and_knows_the_sign() -> None:
    found = pearson_estimate(5 - 3 * TARGET[:, 0], TARGET[:, 0], PRESENT[:, 0], COUNTS, 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((-1, -1, -1))


def test_absent_subjects_do_not_count() -> None:
    present = PRESENT.copy()
    present[30:, 0] = False
    prediction = np.where(present, TARGET, 1e6)
    found, _ = r2_estimates(prediction, TARGET, present, COUNTS, 0.95)
    assert (found[0].value, found[0].subjects) == (1.0, 30)


def test_two_subjects_are_too_few() -> None:
    present = np.zeros_like(PRESENT)
    present[:2] = True
    found, _ = r2_estimates(TARGET, TARGET, present, COUNTS, 0.95)
    assert np.isnan(found[0].value)
    assert np.isnan(pearson_estimate(TARGET[:, 0], TARGET[:, 0], present[:, 0], COUNTS, 0.95).value)


def test_a_feature_of_nine_patients_has_a_value_without_an_interval_and_so_has_its_mean() -> None:
    present = PRESENT.copy()
    present[9:, 0] = False
    found, resampled = r2_estimates(TARGET, TARGET, present, COUNTS, 0.95)
    correlation = pearson_estimate(TARGET[:, 0], TARGET[:, 0], present[:, 0], COUNTS, 0.95)
    mean = mean_r2_estimate(found, resampled, 0.95)
    for one in (found[0], correlation, mean):
        assert one.value == pytest.approx(1.0)
        assert np.isnan([one.low, one.high]).all()
    assert found[1].low == 1.0


def test_absolute_error_of_a_shift_is_the_shift() -> None:
    found = mae_estimate(TARGET[:, 0] - 0.5, TARGET[:, 0], COUNTS, 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_pooling_features_with_other_means_rewards_a_constant_prediction() -> None:
    target = TARGET + np.array([0.0, 50.0])
    constant = np.broadcast_to(target.mean(axis=0), target.shape)
    assert pooled_r2(constant, target, PRESENT) > 0.9
    found, resampled = r2_estimates(constant, target, PRESENT, COUNTS, 0.95)
    assert mean_r2_estimate(found, resampled, 0.95).value == pytest.approx(0, abs=1e-12)


def test_the_mean_r2_leaves_out_what_is_undefined() -> None:
    target = TARGET.copy()
    target[:, 1] = 1.0
    found, resampled = r2_estimates(target, target, PRESENT, COUNTS, 0.95)
    assert mean_r2_estimate(found, resampled, 0.95).value == 1.0
