import numpy as np
import pytest
import torch
from monai.metrics import MultiScaleSSIMMetric
from scipy.ndimage import gaussian_filter

from semivae_bundle.evaluation.multiscale_quality import (
    WEIGHTS,
    multiscale_similarity,
    multiscale_statement,
    scale_weights,
)

SHAPE = (32, 32, 32)
RNG = np.random.default_rng(0)
TARGET = np.stack([gaussian_filter(RNG.normal(size=SHAPE), 2) for _ in range(2)]).astype(np.float32)
NOISY = TARGET + 0.03 * RNG.normal(size=TARGET.shape).astype(np.float32)
WHOLE = np.ones(SHAPE, bool)


def test_the_scales_are_those_that_a_window_fits_into() -> None:
    assert [len(scale_weights([side] * 3)) for side in (6, 7, 14, 32, 64, 128, 256)] == [0, 1, 2, 3, 4, 5, 5]
    assert scale_weights([128, 240, 240]) == pytest.approx(WEIGHTS, abs=1e-3)
    assert sum(scale_weights([64] * 3)) == pytest.approx(1)
    assert multiscale_statement([64] * 3)["scales"] == 4


def test_it_is_that_of_the_library_where_all_is_brain() -> None:
    metric = MultiScaleSSIMMetric(
        spatial_dims=3, data_range=0.7, kernel_type="uniform", kernel_size=7, weights=scale_weights(SHAPE)
    )
    x, y = (torch.from_numpy(image[:1])[None] for image in (NOISY, TARGET))
    expected = float(metric(y_pred=x, y=y))
    found = multiscale_similarity(NOISY[:1], TARGET[:1], WHOLE, [0.7])
    assert found[0] == pytest.approx(expected, abs=2e-3)
    assert found[0] < 0.98


def test_each_channel_has_its_own_range() -> None:
    both = multiscale_similarity(NOISY, TARGET, WHOLE, [0.7, 0.1])
    assert both[0] == pytest.approx(multiscale_similarity(NOISY[:1], TARGET[:1], WHOLE, [0.7])[0], abs=1e-6)
    assert both[1] == pytest.approx(multiscale_similarity(NOISY[1:], TARGET[1:], WHOLE, [0.1])[0], abs=1e-6)


def test_equal_images_have_one_and_an_opposite_one_has_none() -> None:
    assert multiscale_similarity(TARGET, TARGET, WHOLE, [1.0, 1.0]) == pytest.approx([1, 1], abs=1e-5)
    assert multiscale_similarity(-TARGET, TARGET, WHOLE, [0.1, 0.1]) == pytest.approx([0, 0])


def test_what_is_drawn_outside_of_the_brain_does_not_count() -> None:
    brain = np.zeros(SHAPE, bool)
    brain[:12] = True
    elsewhere = TARGET.copy()
    elsewhere[:, 12:] += 5
    assert multiscale_similarity(elsewhere, TARGET, brain, [0.7, 0.7]) == pytest.approx([1, 1], abs=1e-5)
    assert multiscale_similarity(elsewhere, TARGET, WHOLE, [0.7, 0.7]).max() < 0.99


def test_without_range_brain_or_room_there_is_none() -> None:
    assert np.isnan(multiscale_similarity(TARGET, TARGET, WHOLE, [np.nan, 1.0])).tolist() == [True, False]
    assert np.isnan(multiscale_similarity(TARGET, TARGET, ~WHOLE, [1.0, 1.0])).all()
    small = TARGET[:, :6, :6, :6]
    assert np.isnan(multiscale_similarity(small, small, WHOLE[:6, :6, :6], [1.0, 1.0])).all()
