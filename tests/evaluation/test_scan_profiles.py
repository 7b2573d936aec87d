"""What each profile of a scan's image sees, and what it does not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from semivae_bundle.evaluation.channel_profile import channel_orders, channel_profile
from semivae_bundle.evaluation.grain_profile import grain_profile
from semivae_bundle.evaluation.histogram_profile import histogram_profile
from semivae_bundle.evaluation.outline_profile import SECOND, THIRD, outline_profile
from semivae_bundle.evaluation.scan_profiles import READINGS, TURNED, scan_profiles

GRID = np.stack(np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij"))


def values(count: int = 4, voxels: int = 4000) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, voxels)).astype(np.float32)


def an_egg() -> NDArray[np.bool_]:
    """Longer along y than along x, blunt behind, flat below."""
    x, y, z = GRID
    return np.asarray(np.square(x / 0.6) + np.square(y / 0.9) * (1 + 0.5 * y) + np.square(z / 0.7) * (1 - 0.3 * z) < 1)


def test_a_normal_histogram_has_known_numbers() -> None:
    places, skewness, log_kurtosis, lean = np.split(histogram_profile(values(1, 100_000)), [7, 8, 9])
    np.testing.assert_allclose(places, [-2.326, -1.645, -0.674, 0, 0.674, 1.645, 2.326], atol=0.03)
    assert skewness[0] == pytest.approx(0, abs=0.05)
    assert log_kurtosis[0] == pytest.approx(np.log(3), abs=0.03)
    assert lean[0] == pytest.approx(0, abs=0.03)


def test_a_histogram_does_not_see_a_linear_change_and_sees_a_power() -> None:
    usual = histogram_profile(values())
    np.testing.assert_allclose(histogram_profile(7 * values() + 3), usual, atol=1e-4)
    assert np.abs(histogram_profile(np.exp(values())) - usual).max() > 2


def test_grain_is_that_of_white_noise_in_every_channel() -> None:
    image = values(2, 24**3).reshape(2, 24, 24, 24)
    laplacian, mean, median = np.exp(grain_profile(image, np.ones((24, 24, 24), bool)))[:3]
    assert laplacian == pytest.approx(0.6745 * np.sqrt(6**2 + 6), rel=0.03)  # variance 36 + 6 of a sum of seven
    assert mean == pytest.approx(1.5, rel=0.03)  # three slopes of half the difference of two
    assert median == pytest.approx(np.sqrt(0.5 * 2.366), rel=0.03)


def test_noise_adds_to_the_grain_of_its_channel_alone() -> None:
    smooth = np.stack([GRID[0], GRID[1]]).astype(np.float32)
    noisy = smooth.copy()
    noisy[1] += values(1, 24**3).reshape(24, 24, 24)
    change = grain_profile(noisy, an_egg()) - grain_profile(smooth, an_egg())
    np.testing.assert_allclose(change[:3], 0, atol=1e-6)
    assert change[3] > 3


def test_channels_in_another_order_have_the_same_numbers_in_another_order() -> None:
    image = values() + values(1)
    orders = channel_orders(4)
    assert orders.shape == (23, 48)
    assert {tuple(sorted(order)) for order in orders.tolist()} == {tuple(range(48))}
    swapped = channel_profile(image[[2, 1, 0, 3]])
    assert [np.array_equal(channel_profile(image)[order], swapped) for order in orders].count(True) == 1


def test_a_channel_profile_sees_what_a_correlation_does_not() -> None:
    x = values(1, 4000)[0]
    u_shaped, apart = np.stack([x, np.abs(x)]), np.stack([x, values(2, 4000)[1]])
    curve, flat = channel_profile(u_shaped)[:4], channel_profile(apart)[:4]
    assert curve[[0, 3]].min() > curve[[1, 2]].max() + 0.5
    assert np.ptp(flat) < 0.3


def test_an_ellipsoid_has_no_third_moments_and_an_egg_changes_sign_with_its_end() -> None:
    ball = np.square(GRID).sum(axis=0) < 0.6
    np.testing.assert_allclose(outline_profile(ball)[len(SECOND) :], 0, atol=1e-9)
    egg, turned = outline_profile(an_egg()), outline_profile(np.flip(an_egg(), axis=1))
    along_y = len(SECOND) + THIRD.index((1, 1, 1))
    assert abs(egg[along_y]) > 0.02
    assert turned[along_y] == pytest.approx(-egg[along_y])


@pytest.mark.parametrize(("row", "axes"), [(0, 1), (1, 2), (2, (1, 2))])
def test_a_turned_brain_has_the_numbers_of_the_brain_with_other_signs(row: int, axes: int | tuple[int, int]) -> None:
    expected = READINGS[TURNED].of(outline_profile(an_egg())[None])[row, 0]
    np.testing.assert_allclose(outline_profile(np.flip(an_egg(), axis=axes)), expected, atol=1e-9)


def test_an_outline_does_not_see_place_and_sees_exchanged_axes() -> None:
    egg = an_egg()
    np.testing.assert_allclose(outline_profile(np.pad(egg, ((5, 0), (0, 3), (2, 2)))), outline_profile(egg))
    assert np.abs(outline_profile(egg.swapaxes(0, 1)) - outline_profile(egg))[0] > 0.2


def test_a_left_right_flip_of_an_even_brain_changes_no_outline() -> None:
    np.testing.assert_allclose(outline_profile(np.flip(an_egg(), axis=0)), outline_profile(an_egg()), atol=1e-9)


def test_a_missing_channel_leaves_every_profile_finite() -> None:
    image = values(4, 24**3).reshape(4, 24, 24, 24) * an_egg()
    image[2] = 0
    found = scan_profiles(image)
    assert all(np.isfinite(profile).all() for profile in found.values())
    assert set(READINGS) < set(found)
