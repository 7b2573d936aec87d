"""Standardised targets go back and forth, and know what a flip does to them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.features.schema import SENTINEL

SCALES = (
    ColumnScale("vol_total", "vol", 10.0, 2.0, 9),
    ColumnScale("loc_x_total", "loc", 0.4, 0.1, 9),
    ColumnScale("loc_z_total", "loc", 0.6, 0.2, 9),
    ColumnScale("surface_total", "shape", 0.1, 0.5, 9, "vol_total", (1.0, 0.5, 0.01)),
    ColumnScale("vol_et", "vol", 8.0, 1.0, 7),
)


@pytest.fixture
def normalizer():
    return Normalizer(SCALES, degree=2, fov_mm=(240.0, 200.0, 160.0), split_sha256="s", features_sha256="f")


@pytest.fixture
def features():
    columns = ["vol_total", "loc_x_total", "loc_z_total", "surface_total", "vol_et", "has_total", "has_et"]
    rows = [[12.0, 0.5, 0.5, 9.0, 9.0, 1, 1], [9.0, 0.3, 0.7, 7.0, SENTINEL, 1, 0]]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(["a", "b"], name="subject"))


def test_value_is_standardised_after_its_regression(normalizer, features):
    values, present = normalizer.transform(features)
    surface = (9.0 - (1 + 0.5 * 12 + 0.01 * 144) - 0.1) / 0.5
    assert values[0] == pytest.approx([1.0, 1.0, -0.5, surface, 1.0], abs=1e-5)
    assert values.dtype == np.float32 and present[0].all()


def test_absent_region_is_masked(normalizer, features):
    values, present = normalizer.transform(features)
    assert present[1].tolist() == [True, True, True, True, False]
    assert values[1, 4] == 0


def test_unlabelled_subject_is_absent_throughout(normalizer, features):
    values, present = normalizer.transform(features.reindex(["a", "unlabelled"]))
    assert present.tolist() == [[True] * 5, [False] * 5]
    assert not values[1].any()


@pytest.mark.parametrize("value", [SENTINEL, float("nan")])
def test_a_present_region_without_a_number_is_refused(normalizer, features, value):
    features.loc["b", "surface_total"] = value
    with pytest.raises(ValueError, match=r"\['b'\]: has_total is 1 and surface_total is (-10.0|nan), .* damaged"):
        normalizer.transform(features)


def test_standardising_undoes_the_inverse(normalizer):
    values = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_allclose(normalizer.standardise(normalizer.inverse(values)), values, atol=1e-9)


def test_inverse_returns_what_is_present(normalizer, features):
    values, present = normalizer.transform(features)
    raw = features[list(normalizer.columns)].to_numpy()
    np.testing.assert_allclose(normalizer.inverse(values)[present], raw[present], rtol=1e-6)


def test_predicted_shape_goes_with_the_predicted_volume(normalizer):
    small, large = normalizer.inverse([[0, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
    assert small[3] == pytest.approx(1 + 0.5 * 10 + 0.01 * 100 + 0.1)
    assert large[3] == pytest.approx(1 + 0.5 * 12 + 0.01 * 144 + 0.1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirrored_values_are_those_of_the_flipped_image(normalizer, features, axis):
    flipped = features.copy()
    for column in {0: ["loc_x_total"], 1: [], 2: ["loc_z_total"]}[axis]:
        flipped[column] = 1 - flipped[column]
    scale, offset = normalizer.mirror(axis)
    np.testing.assert_allclose(
        scale * normalizer.transform(features)[0][0] + offset, normalizer.transform(flipped)[0][0], atol=1e-5
    )


def test_mirror_twice_changes_nothing(normalizer):
    scale, offset = normalizer.mirror(0)
    np.testing.assert_allclose(scale * offset + offset, 0, atol=1e-6)
    with pytest.raises(ValueError, match="axis: expected 0, 1 or 2"):
        normalizer.mirror(3)


def test_physical_table_has_units_in_its_names(normalizer):
    table = normalizer.physical_table(np.zeros((1, 5)), subjects=["a"])
    expected = {
        "vol_total_mm3": np.expm1(10),
        "loc_x_total_mm": -24.0,
        "loc_z_total_mm": 16.0,
        "surface_total_mm2": np.expm1(7.1),
        "vol_et_mm3": np.expm1(8),
    }
    assert table.loc["a"].to_dict() == pytest.approx(expected)


def test_a_value_that_cannot_occur_is_cut_for_a_reader_only(normalizer):
    values = [[-6.0, 9.0, 0.0, 0.0, 0.0]]
    assert normalizer.physical_table(values)["vol_total_mm3"][0] < 0
    table = normalizer.possible_table(values, subjects=["a"])
    assert table.loc["a", "vol_total_mm3"] == 0
    assert table.loc["a", "loc_x_total_mm"] == pytest.approx(0.8 * 240)


def test_json_round_trip_is_exact(normalizer, tmp_path):
    normalizer.to_json(tmp_path / "normalizer.json")
    assert Normalizer.from_json(tmp_path / "normalizer.json") == normalizer


def test_json_says_where_it_comes_from(normalizer, tmp_path):
    normalizer.to_json(tmp_path / "normalizer.json")
    content = json.loads((tmp_path / "normalizer.json").read_text())
    assert {"package_version", "schema_version", "split_sha256", "features_sha256", "degree", "fov_mm"} <= set(content)


def test_other_schema_version_is_refused(normalizer, tmp_path):
    replace(normalizer, schema_version=0).to_json(tmp_path / "normalizer.json")
    with pytest.raises(ValueError, match=r"schema version 0 (.|\n)*refit with: python -m monai.bundle run precompute"):
        Normalizer.from_json(tmp_path / "normalizer.json")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "other"}', '{"format": "semivae-normalizer/1"}'])
def test_file_that_is_no_normalizer_is_refused(tmp_path, text):
    (tmp_path / "normalizer.json").write_text(text)
    with pytest.raises(ValueError, match=r"normalizer.json: expected a file of format 'semi(.|\n)*refit with"):
        Normalizer.from_json(tmp_path / "normalizer.json")


def test_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="refit with"):
        Normalizer.from_json(tmp_path / "normalizer.json")


def test_values_of_another_width_are_refused(normalizer):
    with pytest.raises(ValueError, match=r"expected \(n, 5\)"):
        normalizer.inverse(np.zeros((2, 4)))


def test_table_without_a_target_is_refused(normalizer, features):
    with pytest.raises(ValueError, match=r"the columns \['vol_et'\] are missing"):
        normalizer.transform(features.drop(columns="vol_et"))


def test_a_scale_without_its_numbers_is_told(normalizer, tmp_path):
    file = tmp_path / "normalizer.json"
    normalizer.to_json(file)
    content = json.loads(file.read_text())
    del content["scales"][1]["std"]
    file.write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"normalizer.json: expected scales with column, .*, found .*'std'; refit with"
    ):
        Normalizer.from_json(file)
