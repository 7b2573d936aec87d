import csv
from pathlib import Path

import numpy as np
import pytest

from semivae_bundle.evaluation.export_tables import GrowingTable


def test_rows_are_sorted_by_subject_and_quoted(tmp_path: Path) -> None:
    table = GrowingTable(tmp_path / "t.csv", resume=True)
    table.put("b", {"patient": 'Doe, "J"', "x": 1.5})
    table.put("a", {"patient": "p", "x": -2.0})
    rows = list(csv.reader((tmp_path / "t.csv").read_text().splitlines()))
    assert rows == [["subject", "patient", "x"], ["a", "p", "-2"], ["b", 'Doe, "J"', "1.5"]]


def test_a_float32_survives_the_file(tmp_path: Path) -> None:
    value = float(np.float32(0.1) / np.float32(3.0))
    GrowingTable(tmp_path / "t.csv", resume=False).put("a", {"x": value})
    again = GrowingTable(tmp_path / "t.csv", resume=True)
    assert np.float32(again.rows["a"][0]) == np.float32(value)


def test_resuming_keeps_the_rows_as_they_were_written(tmp_path: Path) -> None:
    GrowingTable(tmp_path / "t.csv", resume=False).put("a", {"x": 1 / 3})
    again = GrowingTable(tmp_path / "t.csv", resume=True)
    again.put("b", {"x": 2.0})
    assert (tmp_path / "t.csv").read_text() == "subject,x\na,0.333333333\nb,2\n"
    assert "a" in again
    assert "a" not in GrowingTable(tmp_path / "t.csv", resume=False)


def test_a_row_of_other_columns_is_refused(tmp_path: Path) -> None:
    table = GrowingTable(tmp_path / "t.csv", resume=False)
    table.put("a", {"x": 1.0})
    with pytest.raises(ValueError, match="found others \\(\\['x', 'y'\\]\\)"):
        table.put("b", {"y": 1.0})


def test_cells_are_corrected_and_the_rest_of_the_row_stays(tmp_path: Path) -> None:
    table = GrowingTable(tmp_path / "t.csv", resume=False)
    table.put("a", {"patient": "p", "date": "", "x": 1 / 3})
    assert not table.correct("a", {"date": "", "patient": "p"})
    assert table.correct("a", {"date": "2020-01-01"})
    table.write()
    assert (tmp_path / "t.csv").read_text() == "subject,patient,date,x\na,p,2020-01-01,0.333333333\n"
