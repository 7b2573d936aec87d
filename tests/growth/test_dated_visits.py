"""The tables of an inference as visits in time."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made_up_inference import DAYS, PARTITION, curves_of, volumes_of, write_inference

from semivae_bundle.evaluation.predictions import latent_columns
from semivae_bundle.growth.visits import read_visits, repeat_variances, successive_pairs


def test_visits_are_in_the_order_of_time_with_years_since_the_first(inference: Path, truth: pd.DataFrame) -> None:
    visits = read_visits(inference)
    assert len(visits) == 30 * len(DAYS)
    np.testing.assert_allclose(visits["years"][:4], np.array(DAYS) / 365.25)
    np.testing.assert_allclose(np.exp(visits["ln_volume"]), volumes_of(truth)["mm3"])
    assert visits["patient"][0] == "00000"


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_spread_of_a_volume_is_what_its_interval_of_that_level_says(
    level: float, truth: pd.DataFrame, tmp_path: Path
) -> None:
    folder = write_inference(tmp_path / "in", volumes_of(truth[:2]), 0.25, level)
    np.testing.assert_allclose(read_visits(folder)["ln_volume_sd"], 0.25, rtol=1e-6)


def test_a_scan_without_an_interval_has_a_spread_of_its_own_and_is_named(
    changed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed()
    features = pd.read_csv(folder / "features.csv", dtype=str)
    features.loc[features["subject"] == "00001-2", ["vol_total_mm3_lower", "vol_total_mm3_upper"]] = ""
    features.to_csv(folder / "features.csv", index=False)
    visits = read_visits(folder).set_index("subject")["ln_volume_sd"]
    assert visits["00001-2"] == 0.3
    assert (visits.drop("00001-2") < 0.03).all()
    assert "without an interval, taken as known to 30%: 1 of 12 (00001-2)" in capsys.readouterr().out
    features.drop(columns=["vol_total_mm3_lower", "vol_total_mm3_upper"]).to_csv(folder / "features.csv", index=False)
    assert (read_visits(folder)["ln_volume_sd"] == 0.3).all()
    assert "no calibrated intervals: all volumes are taken as known to 30%" in capsys.readouterr().out


def test_scans_that_the_gate_turns_away_are_left_out_unless_kept(
    changed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed()
    for name in ("features.csv", "latents.csv"):
        table = pd.read_csv(folder / name, dtype=str).assign(in_distribution="yes")
        table.loc[table["subject"] == "00001-0", "in_distribution"] = "no"
        table.to_csv(folder / name, index=False)
    visits = read_visits(folder)
    assert "left out, unlike those calibrated on (novelty.csv): 1 of 12 (00001-0)" in capsys.readouterr().out
    # Time then starts at the first that is left.
    assert visits.set_index("subject")["years"]["00001-1"] == 0
    assert len(read_visits(folder, keep_novel=True)) == 12


def test_scans_without_a_tumour_and_patients_with_one_scan_are_left_out_by_name(
    changed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    visits = read_visits(changed(mm3=[0.0, 0.0, 0.0, 900.0, 0.0, *[5e4] * 7]))
    assert list(visits["subject"]) == [f"{p}-{v}" for p, v in [("00001", v) for v in (1, 2, 3)]] + [
        f"00002-{v}" for v in range(4)
    ]
    said = capsys.readouterr().out
    assert "without a tumour: 4 of 12 (00000-0, 00000-1, 00000-2 and 1 more)" in said
    assert "of patients with no other: 1 of 8 (00000-3)" in said


def test_a_patient_may_be_called_na(changed: Callable[..., Path]) -> None:
    assert set(read_visits(changed(patient=["NA"] * 4 + ["null"] * 4 + ["00002"] * 4))["patient"]) == {
        "NA",
        "null",
        "00002",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": None}, r"none for 12 of 12 \(00002-3, 00002-2, 00002-1 and 9 more\); infer with --manifest"),
        ({"date": ["03/04/2020"] * 12}, r"expected dates as YYYY-MM-DD, found none for 12 of 12"),
        ({"patient": [f"Q{i}" for i in range(12)]}, "expected patients of several visits, found none; in the manifest"),
    ],
)
def test_tables_that_no_curve_goes_through_are_refused(
    changed: Callable[..., Path], change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_visits(changed(**change))


def test_scans_without_a_date_and_copies_of_others_are_left_out_by_name(
    changed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed(date=["14.09.2021", None] + ["2020-05-01", "2020-08-01"] * 5)
    features = pd.read_csv(folder / "features.csv", dtype=str).set_index("subject")
    undated = list(features.index[~features["date"].str.startswith("2020-", na=False)])
    assert len(undated) == 2
    record = json.loads((folder / "run.json").read_text())
    record["subjects"] = {name: {"source": {"sha256": sha}} for name, sha in (("00001-0", "a"), ("00001-2", "a"))}
    (folder / "run.json").write_text(json.dumps(record))
    visits = read_visits(folder)
    assert {"00001-0", "00001-2"} & set(visits["subject"]) == {"00001-0"}
    said = capsys.readouterr().out
    assert "left out, the same images as another scan: 1 of 10 (00001-2)" in said
    assert "left out, without a date as YYYY-MM-DD: " in said
    assert not set(undated) & set(visits["subject"])


def test_of_two_copies_the_one_with_a_date_stays(
    changed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    dates = [None] * 4 + list(volumes_of(curves_of(1))["date"]) * 2
    folder = changed(date=dates)
    record = json.loads((folder / "run.json").read_text())
    record["subjects"] = {f"0000{p}-{v}": {"source": {"sha256": f"{v}"}} for p in (0, 1) for v in range(4)}
    (folder / "run.json").write_text(json.dumps(record))
    assert set(read_visits(folder)["patient"]) == {"00001", "00002"}
    said = capsys.readouterr().out
    assert "without a date as YYYY-MM-DD: 4 of 12 (00000-0, " in said
    assert "same images" not in said


def test_patients_whose_scans_are_of_one_day_are_left_out_by_name(
    changed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed(date=["2020-01-01"] * 4 + list(volumes_of(curves_of(2))["date"]))
    assert set(read_visits(folder)["patient"]) == {"00001", "00002"}
    assert "of patients whose scans are all of one day: 4 of 12 (00000-0, " in capsys.readouterr().out


def test_pairs_are_successive_visits_of_one_patient(inference: Path) -> None:
    pairs = successive_pairs(read_visits(inference))
    assert pairs.before.shape == pairs.after_variance.shape == (30 * 3, 128)
    # The means of the table count its rows, four to a patient.
    assert (pairs.after - pairs.before == 1).all()
    assert not (pairs.after[:, 0] % 4 == 0).any()
    assert pairs.patients == tuple(f"{patient:05d}" for patient in range(30) for _ in range(3))
    torch.testing.assert_close(pairs.years[:3], torch.tensor([120, 130, 150]) / 365.25)
    torch.testing.assert_close(pairs.before_variance, torch.full((90, 128), np.exp(-2.0)))


def test_two_scans_of_one_day_make_no_pair(changed: Callable[..., Path]) -> None:
    days = ["2020-01-01", "2020-01-01", "2020-03-01", "2020-04-01"] * 3
    pairs = successive_pairs(read_visits(changed(date=days)))
    assert pairs.before[:, 0].tolist() == [1, 2, 5, 6, 9, 10]
    assert (pairs.years > 0).all()


def repeats_of(weights: str, names: list[str], file: Path) -> Path:
    dimensions = {name: {"within_sd": {"value": 0.5}} for name in names}
    file.write_text(json.dumps({"provenance": {"checkpoint": {"sha256": weights}}, "dimensions": dimensions}))
    return file


def test_the_error_of_measurement_comes_from_a_file_of_repeats(inference: Path, tmp_path: Path) -> None:
    file = repeats_of("of the weights", latent_columns(PARTITION), tmp_path / "repeatability.json")
    torch.testing.assert_close(repeat_variances(file, inference), torch.full((128,), 0.25))


def test_repeats_with_other_weights_or_dimensions_are_refused(inference: Path, tmp_path: Path) -> None:
    file = repeats_of("of others", latent_columns(PARTITION), tmp_path / "repeatability.json")
    with pytest.raises(ValueError, match=r"expected repeats with the weights of .*, of the weigh, found of others;"):
        repeat_variances(file, inference)
    with pytest.raises(ValueError, match=r"expected the dimensions of latents\.csv"):
        repeat_variances(repeats_of("of the weights", ["vol_00"], file), inference)


def test_a_scan_in_which_nothing_was_segmented_has_no_tumour_whatever_the_regression_says(
    changed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed()
    features = pd.read_csv(folder / "features.csv", dtype=str)
    features.loc[features["subject"] == "00001-2", "segmented_total_mm3"] = "0"
    features.to_csv(folder / "features.csv", index=False)
    assert "00001-2" not in set(read_visits(folder)["subject"])
    assert "without a tumour: 1 of 12 (00001-2)" in capsys.readouterr().out


def test_a_folder_of_no_inference_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected the output_dir of an inference, found no latents.csv"):
        read_visits(tmp_path)


def test_a_damaged_record_of_the_inference_is_told(changed: Callable[..., Path]) -> None:
    folder = changed()
    (folder / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run.json: expected JSON, found .*; infer again into an empty folder"):
        read_visits(folder)
