"""What docs/growth.md tells people to write works as it stands there."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.evaluation.inference_sources import find_sources

ROOT = Path(__file__).parents[2]
MANIFEST, PAIRS, DECODING = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "growth.md").read_text(), re.DOTALL)


def test_the_manifest_of_phantoms_knows_patients_and_dates(tmp_path: Path) -> None:
    generate_phantoms(tmp_path, 1, visits=2, size=24, spacing=10, workers=1, progress=False)
    exec(MANIFEST.replace("data/visits", str(tmp_path)), {})
    first, second = find_sources(tmp_path, manifest="visits.csv")
    assert (first.subject, first.patient, second.visit) == ("BraTS-PHM-00000-000", "BraTS-PHM-00000", "001")
    assert first.date is not None
    assert second.date > first.date
    assert all((tmp_path / refs[0].path).is_file() for refs in second.images.values())


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
