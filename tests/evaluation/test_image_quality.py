import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity

from semivae_bundle.evaluation.image_quality import (
    data_range,
    edge_sharpness,
    image_quality,
    masked_mean,
    masked_psnr,
    ssim_map,
)

SHAPE = (24, 24, 24)
RNG = np.random.default_rng(0)
TARGET = RNG.uniform(0, 10, SHAPE).astype(np.float32)
BRAIN = np.zeros(SHAPE, bool)
BRAIN[6:18, 6:18, 6:18] = True
NONE = np.zeros(SHAPE, bool)


def test_psnr_of_known_noise() -> None:
    noisy = TARGET + RNG.choice([-0.1, 0.1], SHAPE).astype(np.float32)
    assert masked_psnr(noisy, TARGET, BRAIN, 10.0) == pytest.approx(40.0, abs=1e-3)  # 20 log10(10 / 0.1)


def test_psnr_looks_only_inside_the_mask() -> None:
    elsewhere = np.where(BRAIN, TARGET + 0.1, 1e3)
    assert masked_psnr(elsewhere, TARGET, BRAIN, 10.0) == pytest.approx(40.0, abs=1e-3)


def test_an_empty_mask_has_no_psnr_and_a_perfect_image_an_infinite_one() -> None:
    assert np.isnan(masked_psnr(TARGET, TARGET, NONE, 10.0))
    assert masked_psnr(TARGET, TARGET, BRAIN, 10.0) == np.inf


def test_the_range_is_between_percentiles_inside_the_brain() -> None:
    image = np.where(BRAIN, TARGET, 1e6)
    image[7, 7, 7] = 1e6
    assert data_range(image, BRAIN) == pytest.approx(9.9, abs=0.1)


def test_a_constant_brain_has_no_range() -> None:
    assert np.isnan(data_range(np.ones(SHAPE, np.float32), BRAIN))
    assert np.isnan(data_range(TARGET, NONE))


def test_ssim_of_an_image_with_itself_is_one() -> None:
    assert masked_mean(ssim_map(TARGET, TARGET, BRAIN, 10.0), BRAIN) == pytest.approx(1.0)


def test_cropping_to_the_brain_changes_no_window_inside_it() -> None:
    noisy = TARGET + RNG.normal(size=SHAPE).astype(np.float32)
    whole = structural_similarity(TARGET.astype(float), noisy.astype(float), data_range=10.0, full=True)[1]
    np.testing.assert_allclose(ssim_map(noisy, TARGET, BRAIN, 10.0)[BRAIN], whole[BRAIN], rtol=1e-4)


def test_ssim_works_for_a_brain_thinner_than_its_window() -> None:
    thin = NONE.copy()
    thin[0:2, 5:15, 5:15] = True
    assert masked_mean(ssim_map(TARGET, TARGET, thin, 10.0), thin) == pytest.approx(1.0)


def test_a_decoder_that_ignores_its_code_gains_nothing() -> None:
    template = TARGET + 1
    found = image_quality(template, TARGET, template, BRAIN, NONE)
    assert found["psnr_gain_brain_db"] == 0.0
    assert np.isnan(found["psnr_tumour_db"])
    assert np.isnan(found["ssim_tumour"])


def test_halving_the_error_gains_six_decibels() -> None:
    tumour = NONE.copy()
    tumour[8:10, 8:10, 8:10] = True
    found = image_quality(TARGET + 0.5, TARGET, TARGET + 1, BRAIN, tumour)
    assert found["psnr_gain_brain_db"] == pytest.approx(6.02, abs=0.01)
    assert found["psnr_gain_tumour_db"] == pytest.approx(6.02, abs=0.01)


def test_sharpness_is_the_ratio_of_gradient_energies_inside_the_mask() -> None:
    assert edge_sharpness(TARGET + 7, TARGET, BRAIN) == pytest.approx(1.0)
    assert edge_sharpness(0.5 * TARGET, TARGET, BRAIN) == pytest.approx(0.25)


def test_a_blurred_image_is_less_sharp_and_a_flat_one_not_at_all() -> None:
    assert 0 < edge_sharpness(uniform_filter(TARGET, 3), TARGET, BRAIN) < 0.3
    assert edge_sharpness(np.ones_like(TARGET), TARGET, BRAIN) == 0


def test_sharpness_of_nothing_is_not_defined() -> None:
    assert np.isnan(edge_sharpness(TARGET, TARGET, NONE))
    assert np.isnan(edge_sharpness(TARGET, np.ones_like(TARGET), BRAIN))
