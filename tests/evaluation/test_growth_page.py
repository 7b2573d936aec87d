"""What docs/growth.md tells people to write works as it stands there, where the answer is known."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.evaluation.inference_sources import find_sources
from semivae_bundle.evaluation.predictions import latent_columns

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "growth.md").read_text()
MANIFEST, GOMPERTZ, PAIRS, DECODING = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
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


@pytest.fixture(scope="module")
def page(inference: Path) -> dict[str, Any]:
    """The names that the page's first two blocks define, run on the tables."""
    names: dict[str, Any] = {}
    exec(GOMPERTZ.replace("outputs/inference", str(inference)), names)
    exec(PAIRS, names)
    return names


def test_the_manifest_of_phantoms_knows_patients_and_dates(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, visits=2, size=24, spacing=10, workers=1, progress=False)
    exec(MANIFEST.replace("data/visits", str(tmp_path)), {})
    first, second = find_sources(tmp_path, manifest="visits.csv")
    assert (first.subject, first.patient, second.visit) == ("BraTS-PHM-00000-000", "BraTS-PHM-00000", "001")
    assert first.date is not None
    assert second.date > first.date
    assert all((tmp_path / refs[0].path).is_file() for refs in second.images.values())


def test_the_curve_of_each_patient_is_found_again(page: dict[str, Any], truth: pd.DataFrame) -> None:
    error = np.log(page["curves"].loc[truth.index] / truth)
    assert error["start_mm3"].abs().max() < 0.02
    # The slowest of 30 says little of its capacity in 400 days, and the prior speaks for it.
    assert error[["rate_per_year", "capacity_mm3"]].abs().median().max() < 0.1
    assert error["rate_per_year"].abs().max() < np.log(2)
    assert np.corrcoef(np.log(page["curves"]["rate_per_year"]), np.log(truth["rate_per_year"]))[0, 1] > 0.98


def test_pairs_are_successive_visits_of_one_patient(page: dict[str, Any]) -> None:
    pairs = page["pairs"](page["scans"])
    assert pairs["before"].shape == pairs["after_variance"].shape == (PATIENTS * 3, 128)
    # The means of the table count its rows, four to a patient.
    assert (pairs["after"] - pairs["before"] == 1).all()
    assert not (pairs["after"][:, 0] % 4 == 0).any()
    torch.testing.assert_close(pairs["years"][:3], torch.tensor([120, 130, 150]) / 365.25)
    torch.testing.assert_close(pairs["before_variance"], torch.full((PATIENTS * 3, 128), np.exp(-2.0)))


def test_a_scan_without_a_date_is_named(inference: Path, page: dict[str, Any], tmp_path: Path) -> None:
    for name in ("features", "latents"):
        table = pd.read_csv(inference / f"{name}.csv", dtype={"visit": str})
        table.loc[table["subject"] == "P03-1", "date"] = None
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(ValueError, match=r"\['P03-1'\]: no date; infer with a manifest"):
        page["visits"](str(tmp_path))


def test_a_code_becomes_features_and_a_picture(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    scans = page["scans"].iloc[:2]
    names = {**page, "scans": scans.assign(**{name: 0.0 for name in scans if name.startswith("mean_")})}
    exec(DECODING, names)
    assert names["images"].shape == names["tumour_logits"].shape == (1, 4, 64, 64, 64)
    # The code of no scan in particular is about a tumour of the cohort's middle size.
    assert 1e4 < names["features"]["vol_total_mm3"].item() < 3e5
