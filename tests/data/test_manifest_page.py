"""What docs/data.md tells people to write works as it stands there."""

import json
import re
from pathlib import Path

import pytest

from semivae_bundle.data.manifest import read_manifest
from semivae_bundle.data.subjects import MODALITIES, ImageRef, Subject

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
(SCRIPT,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_an_index_and_a_table_of_dates_become_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DIR").mkdir()
    (tmp_path / "DIR/dates.csv").write_text("patient,visit,date\nP000,1,2021-03-02\nP000,2,2021-09-14\n")
    (tmp_path / "outputs/found").mkdir(parents=True)
    images = {name: ImageRef(f"{name}.nii.gz") for name in MODALITIES}
    masks = {"P000_v1": "seg.nii.gz", "P000_v2": None}
    scans = [Subject(name, name, "000", None, images, mask, {}).to_dict() for name, mask in masks.items()]
    (tmp_path / "outputs/found/cohort.json").write_text(json.dumps({"subjects": scans}))
    exec(SCRIPT, {})
    first, second = read_manifest(tmp_path / "DIR", "visits.csv")
    assert (first.subject, first.patient, first.visit, first.date) == ("P000-1", "P000", "1", "2021-03-02")
    assert (second.subject, second.patient, second.segs) == ("P000-2", "P000", ())
    assert (first.segs, first.images["t2f"]) == (("seg.nii.gz",), (ImageRef("t2f.nii.gz"),))
