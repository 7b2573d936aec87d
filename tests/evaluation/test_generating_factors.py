from pathlib import Path

import numpy as np
import pandas as pd

from semivae_bundle.evaluation.generating_factors import CLAIMED, generating_factors, read_factors


def test_a_cohort_of_phantoms_has_all_factors(phantom_dir: Path) -> None:
    table = read_factors(phantom_dir)
    assert table is not None
    assert set(CLAIMED) <= set(table.columns)
    assert len(table) == 8


def test_real_data_has_none(tmp_path: Path) -> None:
    assert read_factors(tmp_path) is None
    (tmp_path / "factors.csv").write_text("subject,price\na,3\n")
    assert read_factors(tmp_path) is None
    (tmp_path / "factors.csv").write_text("name,ln_volume\na,3\n")
    assert read_factors(tmp_path) is None


def test_place_and_shape_are_those_of_the_first_visit_alone(tmp_path: Path) -> None:
    rows = "a-0,00000,000,9.0,5.0,0.6\na-1,00000,001,9.5,5.0,0.6\nb-0,00001,000,9.0,7.0,0.7\n"
    header = "subject,patient,visit,ln_volume,centre_x_mm,sphericity\n"
    (tmp_path / "factors.csv").write_text(header + rows)
    table = read_factors(tmp_path)
    assert table is not None
    assert list(table.index[table["centre_x_mm"].isna()]) == list(table.index[table["sphericity"].isna()]) == ["a-1"]
    assert table["ln_volume"].notna().all()


def test_rows_follow_the_subjects_and_one_without_is_absent() -> None:
    table = pd.DataFrame({"ln_volume": [1.0, 2.0], "rim": [0.1, 0.2], "contrast": ["x", "y"]}, index=["a", "b"])
    found = generating_factors(table, ["b", "c", "a"], ["vol", "residual"])
    assert (found.names, found.claimed) == (("ln_volume", "rim"), ("vol", "residual"))
    np.testing.assert_array_equal(found.values, [[2.0, 0.2], [np.nan, np.nan], [1.0, 0.1]])


def test_a_factor_of_a_partition_that_is_not_there_is_left_out() -> None:
    table = pd.DataFrame({"ln_volume": [1.0], "rim": [0.1]}, index=["a"])
    assert generating_factors(table, ["a"], ["vol"]).names == ("ln_volume",)
