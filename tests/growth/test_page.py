"""What docs/growth.md tells people to write works as it stands there."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.evaluation.inference_sources import find_sources

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "growth.md").read_text()
MANIFEST, CHANGE, PAIRS, DECODING = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_manifest_of_phantoms_knows_patients_and_dates(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, visits=2, size=24, spacing=10, workers=1, progress=False)
    exec(MANIFEST.replace("data/visits", str(tmp_path)), {})
    first, second = find_sources(tmp_path, manifest="visits.csv")
    assert (first.subject, first.patient, second.visit) == ("BraTS-PHM-00000-000", "BraTS-PHM-00000", "001")
    assert first.date is not None
    assert second.date > first.date
    assert all((tmp_path / refs[0].path).is_file() for refs in second.images.values())


def test_a_doubling_time_is_that_of_the_change_between_first_and_last_visit(changed: Callable[..., Path]) -> None:
    patients = [patient for patient in ("00000", "00001", "00002") for _ in range(4)]
    volumes = {"00000": (1e4, 2e4, 4e4, 8e4), "00001": (1e4, 1.1e4, 1e4, 1.1e4), "00002": (8e4, 4e4, 2e4, 1e4)}
    folder = changed(mm3=[volume for patient in dict.fromkeys(patients) for volume in volumes[patient]])
    names: dict[str, Any] = {}
    exec(CHANGE.replace("outputs/visits", str(folder)), names)
    # Eightfold in 400 days; 10 % more is noise, and a tumour that shrinks doubles never.
    assert names["doubling_years"].to_dict() == pytest.approx({"00000": 400 / 365.25 / 3}, rel=1e-3)


def test_pairs_become_features_and_a_picture(inference: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(PAIRS.replace("outputs/visits", str(inference)), names)
    assert names["steps"].after.shape == (90, 128)
    names["steps"] = replace(names["steps"], after=0 * names["steps"].after[:1])
    exec(DECODING, names)
    assert names["images"].shape == names["tumour_logits"].shape == (1, 4, 64, 64, 64)
    # The code of no scan in particular is about a tumour of the cohort's middle size.
    assert 1e4 < names["features"]["vol_total_mm3"].item() < 3e5
