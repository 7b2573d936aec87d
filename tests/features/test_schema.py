"""The schema names every feature once and knows its unit."""

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.features.schema import COLUMNS, FEATURES, SENTINEL, feature_of, physical_table, presence_column

FOV_MM = (240.0, 200.0, 160.0)


def test_every_region_has_every_feature_once():
    assert len(COLUMNS) == len(set(COLUMNS)) == 5 * 13
    assert {feature.region for feature in FEATURES} == {"total", "core", "ncr", "ed", "et"}


def test_columns_of_the_partitions_of_one_region():
    total = [feature for feature in FEATURES if feature.region == "total"]
    by_partition = {
        part: [f.name for f in total if f.partition == part] for part in ("vol", "loc", "shape", "presence")
    }
    assert by_partition["vol"] == ["vol"] and by_partition["presence"] == ["has"]
    assert by_partition["loc"] == ["loc_x", "loc_y", "loc_z"]
    assert len(by_partition["shape"]) == 8


def test_only_location_is_mirrored_by_a_flip():
    assert {feature.name: feature.axis for feature in FEATURES if feature.axis is not None} == {
        "loc_x": 0,
        "loc_y": 1,
        "loc_z": 2,
    }


def test_unknown_column_names_the_nearest_one():
    with pytest.raises(ValueError, match=r"'sphericty_total'.*nearest: \['sphericity_total'"):
        feature_of("sphericty_total")


def test_presence_column_is_the_one_of_the_region():
    assert presence_column("loc_x_core") == "has_core"


def test_physical_values_carry_their_unit():
    columns = ["vol_et", "surface_ed", "loc_y_total", "loc_z_total", "sphericity_ncr", "has_et"]
    table = pd.DataFrame([[np.log(1001), np.log(51), 0.75, 0.5, 0.8, 1.0]], columns=columns, index=["a"])
    physical = physical_table(table, FOV_MM)
    expected = {
        "vol_et_mm3": 1000,
        "surface_ed_mm2": 50,
        "loc_y_total_mm": 50,
        "loc_z_total_mm": 0,
        "sphericity_ncr": 0.8,
        "has_et": 1,
    }
    assert physical.loc["a"].to_dict() == pytest.approx(expected, rel=1e-12)


def test_absent_features_have_no_physical_value():
    physical = physical_table(pd.DataFrame({"vol_et": [SENTINEL, 2.0], "mask_sha256": ["", ""]}), FOV_MM)
    assert list(physical.columns) == ["vol_et_mm3"]
    assert physical["vol_et_mm3"].isna().tolist() == [True, False]


def test_the_range_of_a_feature_is_that_of_its_definition() -> None:
    assert feature_of("vol_total").physical_range == (0.0, np.inf)
    assert feature_of("surface_core").physical_range == (0.0, np.inf)
    assert feature_of("sphericity_total").physical_range == (0.0, 1.0)
    assert feature_of("loc_y_total").physical_range == (-np.inf, np.inf)
