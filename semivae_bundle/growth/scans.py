"""The two tables that an inference leaves as one, a row per scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from semivae_bundle.data.wording import listed
from semivae_bundle.evaluation.export_tables import VERDICT

KEYS = ["subject", "patient", "visit", "date", "modalities"]
VOLUME = "vol_total_mm3"
SEGMENTED = "segmented_total_mm3"  # 0 where nothing was seen, where a regression still says something


def read_scans(folder: Path) -> pd.DataFrame:
    """The columns of features.csv and then those of latents.csv, in the order of features.csv.

    ValueError for tables without a column that is needed, and for two that are not of one run: another scan in one of
    them, or another patient, visit, date or modalities of a scan.
    """
    # First what an inference alone leaves: an index has a features.csv too.
    latents = _read(folder, "latents", KEYS).set_index("subject")
    features = _read(folder, "features", [*KEYS, VOLUME, SEGMENTED]).set_index("subject", drop=False)
    advice = "the two tables were edited or come from two runs; infer again into an empty folder"
    for name, own, other in (("features", features, latents), ("latents", latents, features)):
        if lacking := [subject for subject in other.index if subject not in own.index]:
            raise ValueError(
                f"{folder / name}.csv: expected the scans of the other table too, found no {listed(lacking)}; {advice}"
            )
    told = latents.loc[features.index]
    for key in KEYS[1:]:
        differs = features[key].fillna("") != told[key].fillna("")
        if differs.any():
            subjects = list(features.index[differs])
            found = " and ".join(str(table[key][subjects[0]]) for table in (features, told))
            raise ValueError(
                f"{folder}: expected one {key} of a scan in features.csv and latents.csv, found two for "
                f"{listed(subjects)} ({subjects[0]}: {found}); {advice}"
            )
    # Both have the verdict.
    return pd.concat([features, told.drop(columns=[*KEYS[1:], VERDICT], errors="ignore")], axis="columns").reset_index(
        drop=True
    )


def needed_file(folder: Path, name: str) -> Path:
    """A file that every inference leaves; FileNotFoundError where it is not there."""
    if not (folder / name).is_file():
        raise FileNotFoundError(f"{folder}: expected the output_dir of an inference, found no {name}; run infer")
    return folder / name


def _read(folder: Path, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """A table of the inference; a patient may be called NA, and 00012 is no number."""
    file = needed_file(folder, f"{name}.csv")
    table = pd.read_csv(file, dtype=dict.fromkeys(KEYS, str), keep_default_na=False, na_values=[""])
    if missing := [column for column in columns if column not in table]:
        raise ValueError(
            f"{file}: expected the columns {', '.join(columns)}, found no {listed(missing)}; it was saved with other "
            "separators, or by another version: infer again"
        )
    for column in columns:
        if column not in KEYS and not is_numeric_dtype(table[column]):
            raise ValueError(f"{file}: {column}: expected numbers such as 1234.5, found text; infer again")
    if repeated := list(table.loc[table["subject"].duplicated(), "subject"]):
        raise ValueError(f"{file}: expected a row per scan, found several of {listed(repeated)}; infer again")
    return table
