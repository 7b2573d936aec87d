"""What must not depend on how the tumour lies in the grid, for random rough bodies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semivae_bundle.features.measure import measure_mask
from semivae_bundle.features.schema import REGION_LABELS, feature_of

masks = arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(0, 3))
spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 2.5, 5.0])] * 3)
few = settings(max_examples=30, deadline=None, derandomize=True)
# Square roots of eigenvalues that should be 0 carry the square root of the rounding error.
CLOSE = {"rel": 1e-9, "abs": 1e-6}


def without_location(features: dict[str, float]) -> dict[str, float]:
    return {column: value for column, value in features.items() if feature_of(column).axis is None}


@few
@given(masks, spacings, st.tuples(*[st.integers(0, 4)] * 6))
def test_translation_moves_the_location_only(mask, spacing, margins):
    moved = np.pad(mask, np.reshape(margins, (3, 2)))
    before, after = measure_mask(mask, spacing), measure_mask(moved, spacing)
    assert without_location(after) == pytest.approx(without_location(before), **CLOSE)
    for axis, letter in enumerate("xyz"):
        shift = (margins[2 * axis] - margins[2 * axis + 1]) / 2 * spacing[axis] / 240
        if before["has_total"]:
            assert after[f"loc_{letter}_total"] == pytest.approx(before[f"loc_{letter}_total"] + shift, abs=1e-12)


@few
@given(masks, spacings, st.sampled_from([0, 1, 2]))
def test_flip_mirrors_the_location_only(mask, spacing, axis):
    before, after = measure_mask(mask, spacing), measure_mask(np.flip(mask, axis), spacing)
    for region in REGION_LABELS:
        column = f"loc_{'xyz'[axis]}_{region}"
        if before[f"has_{region}"]:
            before[column] = 1 - before[column]
    assert after == pytest.approx(before, **CLOSE)


@few
@given(masks, spacings, st.permutations([0, 1, 2]))
def test_permuted_axes_only_rename_location_and_aspects(mask, spacing, order):
    before = measure_mask(mask, spacing)
    after = measure_mask(mask.transpose(order), [spacing[axis] for axis in order])
    old = dict(zip("xyz", ("xyz"[axis] for axis in order), strict=True))
    renamed = {}
    for column in after:
        name, region = column.rsplit("_", 1)
        if name.startswith("loc_"):
            name = f"loc_{old[name[-1]]}"
        if name.startswith("aspect_"):
            name = "aspect_" + "".join(sorted(old[letter] for letter in name[-2:]))
        renamed[column] = before[f"{name}_{region}"]
    assert after == pytest.approx(renamed, **CLOSE)


@few
@given(masks, st.sampled_from([0.5, 2.0, 3.0]))
def test_scale_changes_sizes_by_its_powers_and_shape_not_at_all(mask, scale):
    before, after = measure_mask(mask, (1, 1, 1)), measure_mask(mask, (scale,) * 3)
    for region in REGION_LABELS:
        if not before[f"has_{region}"]:
            continue
        assert np.expm1(after[f"vol_{region}"]) == pytest.approx(scale**3 * np.expm1(before[f"vol_{region}"]), rel=1e-9)
        area = np.expm1(before[f"surface_{region}"])
        assert np.expm1(after[f"surface_{region}"]) == pytest.approx(scale**2 * area, rel=1e-9)
        for name in ("sphericity", "solidity", "elongation", "flatness", "aspect_xy"):
            assert after[f"{name}_{region}"] == pytest.approx(before[f"{name}_{region}"], **CLOSE)


@few
@given(masks, spacings)
def test_bounded_features_stay_in_their_bounds(mask, spacing):
    for column, value in measure_mask(mask, spacing).items():
        if column.startswith(("sphericity", "solidity", "aspect", "elongation", "flatness")) and value != -10.0:
            assert 0 <= value <= 1, column
