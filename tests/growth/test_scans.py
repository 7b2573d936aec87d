"""The two tables of an inference have to be of one run."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from semivae_bundle.growth.scans import read_scans


def edit(file: Path, edited: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    edited(pd.read_csv(file, dtype=str)).to_csv(file, index=False)


@pytest.mark.parametrize("name", ["features", "latents"])
def test_a_scan_that_one_table_lacks_is_told(name: str, changed: Callable[..., Path]) -> None:
    folder = changed()
    edit(folder / f"{name}.csv", lambda table: table[table["subject"] != "00001-2"])
    with pytest.raises(ValueError, match=rf"{name}\.csv: expected the scans of the other table too, found no 00001-2"):
        read_scans(folder)


@pytest.mark.parametrize("key", ["patient", "visit", "date", "modalities"])
def test_a_scan_of_which_the_tables_say_two_things_is_told(key: str, changed: Callable[..., Path]) -> None:
    folder = changed()
    edit(folder / "features.csv", lambda table: table.assign(**{key: ["other", *table[key][1:]]}))
    with pytest.raises(ValueError, match=rf"one {key} of a scan .* found two for 00002-3 \(.*; .* infer again"):
        read_scans(folder)


def test_a_date_that_both_lack_is_no_disagreement(changed: Callable[..., Path]) -> None:
    assert read_scans(changed(date=[None] * 12))["date"].isna().all()


@pytest.mark.parametrize(
    ("edited", "message"),
    [
        (lambda table: table.drop(columns="segmented_total_mm3"), r"found no segmented_total_mm3; .* infer again"),
        (lambda table: table.set_axis([";".join(table), *table.columns[1:]], axis=1), "found no subject"),
        (lambda table: table.assign(vol_total_mm3="12,5"), r"vol_total_mm3: expected numbers such as 1234\.5"),
        (lambda table: pd.concat([table, table[:1]]), r"expected a row per scan, found several of 00002-3"),
    ],
)
def test_a_table_that_a_spreadsheet_has_changed_is_told(
    edited: Callable[[pd.DataFrame], pd.DataFrame], message: str, changed: Callable[..., Path]
) -> None:
    folder = changed()
    edit(folder / "features.csv", edited)
    with pytest.raises(ValueError, match=message):
        read_scans(folder)


def test_a_folder_of_another_step_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "features.csv").write_text("subject,vol_total_mm3\na,1\n")  # as an index leaves it
    with pytest.raises(FileNotFoundError, match=r"expected the output_dir of an inference, found no latents\.csv"):
        read_scans(tmp_path)
