import numpy as np
import pytest

from semivae_bundle.evaluation.overlap import (
    counted_volume_per_region,
    dice,
    dice_per_region,
    label_map,
    volume_per_region,
    with_background,
)


def test_dice_of_known_overlaps() -> None:
    a, b = np.zeros(10, bool), np.zeros(10, bool)
    a[:4], b[2:6] = True, True
    assert dice(a, b) == 0.5
    assert dice(b, b) == 1.0
    assert dice(~b, b) == 0.0


def test_a_region_that_is_absent_has_no_dice() -> None:
    assert np.isnan(dice(np.ones(3, bool), np.zeros(3, bool)))
    found = dice_per_region(np.array([1, 2, 3, 0], np.uint8), np.array([2, 2, 2, 0], np.uint8))
    assert np.isnan([found["ncr"], found["et"], found["core"]]).all()
    assert found["total"] == 1.0
    assert found["ed"] == pytest.approx(2 * 1 / (1 + 3))


def test_a_missed_region_has_dice_zero() -> None:
    assert dice_per_region(np.zeros(3, np.uint8), np.array([1, 0, 0], np.uint8))["core"] == 0.0


def test_the_label_is_the_largest_share_of_a_voxel() -> None:
    regions = np.zeros((3, 1, 1, 3), np.float32)
    regions[:, 0, 0, 0] = [0.1, 0.2, 0.6]
    regions[:, 0, 0, 1] = [0.1, 0.1, 0.1]
    regions[:, 0, 0, 2] = [0.0, 0.7, 0.3]
    np.testing.assert_array_equal(label_map(with_background(regions))[0, 0], [3, 0, 2])


def test_volume_sums_partial_voxels() -> None:
    regions = np.zeros((3, 2, 2, 2), np.float32)
    regions[0, 0, 0, 0], regions[1, 0, 0, 1], regions[2, 1, 1, 1] = 0.5, 1.0, 0.25
    found = volume_per_region(with_background(regions), voxel_mm3=8.0)
    assert found == pytest.approx({"total": 14.0, "core": 6.0, "ncr": 4.0, "ed": 8.0, "et": 2.0})


def test_counted_volume_is_voxels_times_their_size() -> None:
    found = counted_volume_per_region(np.array([0, 1, 2, 2, 3, 3, 3], np.uint8), voxel_mm3=10.0)
    assert found == {"total": 60.0, "core": 40.0, "ncr": 10.0, "ed": 20.0, "et": 30.0}
