"""Curves through volumes whose answer is known, and what docs/growth.md tells people to write."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.evaluation.inference_sources import find_sources
from semivae_bundle.evaluation.predictions import latent_columns

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "growth_curves.py"))
PAGE = (ROOT / "docs" / "growth.md").read_text()
MANIFEST, PAIRS, DECODING = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
PATIENTS, DAYS = 30, (0, 120, 250, 400)
PARTITION = {"vol": 16, "loc": 12, "shape": 24, "residual": 76}


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    """Curves as the phantoms have them; a row per patient."""
    rng = np.random.default_rng(0)
    rate, start = np.exp(rng.normal(0.0, 0.5, PATIENTS)), np.exp(rng.normal(10.5, 0.5, PATIENTS))
    capacity = np.exp(rng.normal(12.3, 0.2, PATIENTS))
    names = [f"P{i:02d}" for i in range(PATIENTS)]
    return pd.DataFrame({"start_mm3": start, "rate_per_year": rate, "capacity_mm3": capacity}, index=names)


@pytest.fixture(scope="module")
def inference(truth: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inference's two tables of four visits each; volumes known to 2 %."""
    keys, volumes = [], []
    for patient, curve in truth.iterrows():
        for visit, days in enumerate(DAYS):
            day = pd.Timestamp("2020-01-01") + pd.Timedelta(days=days)
            keys.append((f"{patient}-{visit}", patient, f"{visit:03d}", day.date().isoformat(), "t1c t1n t2f t2w"))
            shrinking = np.exp(-curve.rate_per_year * days / 365.25)
            volumes.append(curve.capacity_mm3 * (curve.start_mm3 / curve.capacity_mm3) ** shrinking)
    table = pd.DataFrame(keys, columns=["subject", "patient", "visit", "date", "modalities"])
    volume = np.array(volumes)
    bounds = {"vol_total_mm3_lower": volume / 1.02, "vol_total_mm3_upper": volume * 1.02}
    names = latent_columns(PARTITION)
    means = pd.DataFrame(np.arange(len(table))[:, None] * np.ones(128), columns=[f"mean_{name}" for name in names])
    log_vars = pd.DataFrame(np.full((len(table), 128), -2.0), columns=[f"log_var_{name}" for name in names])
    folder = tmp_path_factory.mktemp("growth")
    # As an inference sorts them, so that order comes from the dates.
    table.assign(vol_total_mm3=volume, **bounds)[::-1].to_csv(folder / "features.csv", index=False)
    pd.concat([table, means, log_vars], axis="columns").to_csv(folder / "latents.csv", index=False)
    return folder


def test_the_manifest_of_phantoms_knows_patients_and_dates(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, visits=2, size=24, spacing=10, workers=1, progress=False)
    exec(MANIFEST.replace("data/visits", str(tmp_path)), {})
    first, second = find_sources(tmp_path, manifest="visits.csv")
    assert (first.subject, first.patient, second.visit) == ("BraTS-PHM-00000-000", "BraTS-PHM-00000", "001")
    assert first.date is not None
    assert second.date > first.date
    assert all((tmp_path / refs[0].path).is_file() for refs in second.images.values())


@pytest.fixture(scope="module")
def fitted(inference: Path) -> pd.DataFrame:
    """growth.csv, by patient."""
    SCRIPT["growth_curves"](str(inference))
    return pd.read_csv(inference / "growth.csv", index_col="patient")


def test_the_curve_of_each_patient_is_found_again(fitted: pd.DataFrame, truth: pd.DataFrame, inference: Path) -> None:
    error = np.log(fitted[list(truth)] / truth)
    assert error["start_mm3"].abs().max() < 0.02
    assert error[["rate_per_year", "capacity_mm3"]].abs().median().max() < 0.1
    # The slowest of 30 says little of its capacity in 400 days: the prior speaks for it, and the spread says so.
    spreads = fitted[["rate_per_year_log_sd", "capacity_mm3_log_sd"]].to_numpy()
    assert (np.abs(error[["rate_per_year", "capacity_mm3"]].to_numpy()) < 3 * spreads).all()
    assert (spreads < [0.5, 0.3]).all()
    assert (fitted["visits"] == len(DAYS)).all()
    assert (inference / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_two_visits_leave_most_to_the_prior(inference: Path) -> None:
    scans = SCRIPT["read_visits"](inference).groupby("patient").head(2)
    one = SCRIPT["fit"](scans[scans["patient"] == "P00"], (0.0, 0.5), (12.3, 0.3))
    assert 0.2 < one["capacity_mm3_log_sd"] < 0.3


def test_without_intervals_every_volume_weighs_the_same(inference: Path) -> None:
    scans = SCRIPT["read_visits"](inference).drop(columns=["vol_total_mm3_lower", "vol_total_mm3_upper"])
    assert (SCRIPT["log_spread"](scans) == 0.3).all()


def test_phantoms_are_compared_with_what_they_grew_by(
    inference: Path, truth: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{patient}-{visit}" for patient in truth.index for visit in range(len(DAYS))]
    factors = truth.loc[[name[:3] for name in names]].assign(subject=names, patient="00000").reset_index(drop=True)
    factors["ln_volume"] = np.log(factors.pop("start_mm3"))
    factors["growth_per_year"] = factors.pop("rate_per_year")
    factors.to_csv(tmp_path / "factors.csv", index=False)
    SCRIPT["growth_curves"](str(inference), output_dir=str(tmp_path / "out"), factors=str(tmp_path / "factors.csv"))
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("rate_per_year")).split()
    assert float(row[1]) > 0.98
    assert float(row[2]) < 0.1
    assert (tmp_path / "out" / "growth.csv").is_file()
    factors[4:].to_csv(tmp_path / "factors.csv", index=False)
    with pytest.raises(ValueError, match=r"expected the factors of all patients, found none of \['P00'\]"):
        SCRIPT["read_truth"](tmp_path / "factors.csv", SCRIPT["read_visits"](inference))


@pytest.fixture(scope="module")
def steps(inference: Path) -> dict[str, torch.Tensor]:
    """The pairs of the page's code."""
    return names_of_page(inference)["steps"]


def names_of_page(inference: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"read_visits": SCRIPT["read_visits"]}
    code = PAIRS.replace("outputs/inference", str(inference))
    exec("\n".join(line for line in code.splitlines() if not line.startswith("from growth_curves")), names)
    return names


def test_pairs_are_successive_visits_of_one_patient(steps: dict[str, torch.Tensor]) -> None:
    assert steps["before"].shape == steps["after_variance"].shape == (PATIENTS * 3, 128)
    # The means of the table count its rows, four to a patient.
    assert (steps["after"] - steps["before"] == 1).all()
    assert not (steps["after"][:, 0] % 4 == 0).any()
    torch.testing.assert_close(steps["years"][:3], torch.tensor([120, 130, 150]) / 365.25)
    torch.testing.assert_close(steps["before_variance"], torch.full((PATIENTS * 3, 128), np.exp(-2.0)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": None}, "found none for 120 of 120, such as P00-0; infer with --manifest"),
        (
            {"patient": [f"Q{i}" for i in range(120)]},
            "expected patients of several visits, found one scan of each of 120",
        ),
    ],
)
def test_tables_that_no_curve_goes_through_are_refused(
    inference: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    for name in ("features", "latents"):
        table = pd.read_csv(inference / f"{name}.csv", dtype={"visit": str}).sort_values("subject")
        table.assign(**change).to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(ValueError, match=message):
        SCRIPT["read_visits"](tmp_path)


def test_a_code_becomes_features_and_a_picture(inference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names = names_of_page(inference) | {"steps": {"after": torch.zeros(1, 128)}}
    exec(DECODING, names)
    assert names["images"].shape == names["tumour_logits"].shape == (1, 4, 64, 64, 64)
    # The code of no scan in particular is about a tumour of the cohort's middle size.
    assert 1e4 < names["features"]["vol_total_mm3"].item() < 3e5
