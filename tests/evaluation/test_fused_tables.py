"""Encodings of several models -> tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.evaluation.fused_tables import r2_table, read_encodings, write_fusion
from semivae_bundle.features.normalizer import ColumnScale, Normalizer

COLUMNS = ("vol_total", "loc_x_total")
SCALES = (ColumnScale("vol_total", "vol", 10.0, 2.0, 9), ColumnScale("loc_x_total", "loc", 0.5, 0.1, 9))
NORMALIZER = Normalizer(SCALES, 1, (240.0,) * 3, "0" * 64, "1" * 64)
SPLITS = ["train"] * 4 + ["validation"] * 4 + ["test"] * 4


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Two models of twelve scans, the second exact; one validation scan without a mask, and the name of a number."""
    generator = np.random.default_rng(0)
    measured = generator.normal(size=(12, 2))
    written = {}
    for number, model in enumerate(("t1c", "t2f")):
        error = generator.normal(scale=0.5, size=(12, 2)) if number == 0 else np.zeros((12, 2))
        table = pd.DataFrame({"patient": "p", "visit": "000", "date": "", "split": SPLITS})
        table[["vol_00", "vol_01"]] = generator.normal(size=(12, 2)) + number
        table[[f"predicted_{column}" for column in COLUMNS]] = measured + error
        table[[f"measured_{column}" for column in COLUMNS]] = measured
        table.loc[7, [f"measured_{column}" for column in COLUMNS]] = np.nan
        table.index = pd.Index([f"{i:03d}" for i in range(12)], name="subject")
        written[model] = tmp_path / f"{model}.csv"
        table.to_csv(written[model])
    return written


def test_latents_of_all_models_stand_in_one_row_under_the_model_s_name(files: dict[str, Path], tmp_path: Path) -> None:
    write_fusion(read_encodings(files), NORMALIZER, tmp_path / "fused")
    table = pd.read_csv(tmp_path / "fused" / "latents.csv", dtype={"subject": str, "visit": str})
    latents = ["t1c_vol_00", "t1c_vol_01", "t2f_vol_00", "t2f_vol_01"]
    assert list(table) == ["subject", "patient", "visit", "date", "split", *latents]
    assert (list(table["subject"][:2]), table["visit"][0]) == (["000", "001"], "000")
    alone = pd.read_csv(files["t2f"])
    np.testing.assert_allclose(table["t2f_vol_01"], alone["vol_01"], rtol=1e-8)


def test_fused_features_follow_the_exact_model_in_physical_units(files: dict[str, Path], tmp_path: Path) -> None:
    write_fusion(read_encodings(files), NORMALIZER, tmp_path / "fused")
    table, exact = pd.read_csv(tmp_path / "fused" / "features.csv"), pd.read_csv(files["t2f"])
    expected = np.exp(10 + 2 * exact["predicted_vol_total"]) - 1
    np.testing.assert_allclose(table["vol_total_mm3"], expected, rtol=1e-3)


def test_r2_of_each_model_and_of_the_fusion_is_told_per_split(files: dict[str, Path], tmp_path: Path) -> None:
    content = write_fusion(read_encodings(files), NORMALIZER, tmp_path / "fused")
    written = json.loads((tmp_path / "fused" / "fusion.json").read_text())
    assert written["subjects"] == {"validation": dict.fromkeys(COLUMNS, 3), "test": dict.fromkeys(COLUMNS, 4)}
    assert written["weights"]["vol_total"]["t2f"] > 0.999
    table = r2_table(content, "test")
    assert list(table) == ["t1c", "t2f", "fused"]
    assert list(table.index) == [*COLUMNS, "mean"]
    assert table.loc["mean", "t1c"] < table.loc["mean", "fused"] == pytest.approx(1, abs=1e-4)
    assert written["formula"].startswith("fused_f = sum_m w_mf predicted_mf")


def test_a_feature_too_few_have_has_no_r2(files: dict[str, Path], tmp_path: Path) -> None:
    for file in files.values():
        table = pd.read_csv(file, dtype={"subject": str, "visit": str})
        table.loc[4:6, "measured_vol_total"] = np.nan
        table.to_csv(file, index=False)
    write_fusion(read_encodings(files), NORMALIZER, tmp_path / "fused")
    written = json.loads((tmp_path / "fused" / "fusion.json").read_text())
    assert written["r2"]["validation"]["vol_total"]["fused"] is None
    assert written["weights"]["vol_total"] == {"t1c": 0.5, "t2f": 0.5}


@pytest.mark.parametrize(("column", "value"), [("split", "train"), ("measured_vol_total", 0.5)])
def test_encodings_of_other_splits_or_measurements_are_not_fused(files, column: str, value: object) -> None:
    table = pd.read_csv(files["t2f"], dtype={"subject": str, "visit": str})
    table.loc[5, column] = value
    table.to_csv(files["t2f"], index=False)
    with pytest.raises(ValueError, match=r"t2f.csv: expected the subjects, splits, .* of .*t1c.csv, found others"):
        read_encodings(files)


def test_a_normalizer_of_other_features_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    other = Normalizer(SCALES[:1], 1, (240.0,) * 3, "0" * 64, "1" * 64)
    with pytest.raises(ValueError, match=r"expected the features \('vol_total',\) of the normalizer"):
        write_fusion(read_encodings(files), other, tmp_path)
