"""Cohort -> features table: every labelled subject measured once, in parallel, and measured again only when it changed.

`features.csv` has one row per labelled subject: the schema's columns, then what the row was made from, so that each row
says by itself whether it still holds. A run that is cut off loses at most the last few subjects.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from semivae_bundle import __version__
from semivae_bundle.data.cohort import Cohort
from semivae_bundle.data.files import sha256_of_files, write_text_atomically
from semivae_bundle.data.masks import read_mask
from semivae_bundle.data.parallel import in_parallel
from semivae_bundle.data.places import require_place
from semivae_bundle.data.subjects import Subject
from semivae_bundle.data.wording import listed
from semivae_bundle.features.measure import measure_mask
from semivae_bundle.features.schema import COLUMNS, SCHEMA_VERSION

FOV_COLUMNS = ("fov_x_mm", "fov_y_mm", "fov_z_mm")
SPACING_COLUMNS = ("spacing_x_mm", "spacing_y_mm", "spacing_z_mm")
# What a row was made from. Where all of it is unchanged, so are the features.
INPUT_COLUMNS = ("mask_sha256", "label_map", "orientation", *FOV_COLUMNS, "schema_version")
TABLE_COLUMNS = (*COLUMNS, *SPACING_COLUMNS, *INPUT_COLUMNS, "package_version")

REMEDY = "make it with: python -m monai.bundle run precompute --config_file configs/train.json --dataset_dir DIR"
SUBJECTS_PER_SAVE = 50

logger = logging.getLogger(__name__)


def measure_cohort(
    cohort: Cohort,
    features_file: str | Path,
    *,
    fov_mm: Sequence[float],
    workers: int | None = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the labelled subjects of `cohort` whose row in `features_file` is missing or stale; return all rows.

    Index `subject`, sorted; columns TABLE_COLUMNS. `workers`: processes on this machine, -1 for one per core, None to
    take what `joblib.parallel_config` says, e.g. `backend="dask"` for several machines. Rows of subjects that left the
    cohort are dropped. Masks that fail are listed in one ValueError, after the good rows are saved.
    """
    features_file = Path(features_file)
    labelled = [subject for subject in cohort.subjects if subject.seg is not None]
    inputs, failures = _inputs(labelled, cohort.dataset_dir, fov_mm)
    before = _previous_rows(features_file)
    rows = {name: row for name, row in before.items() if name in inputs and _same_inputs(row, inputs[name])}
    stale = [subject for subject in labelled if subject.subject in inputs and subject.subject not in rows]
    gone = sorted(set(before) - {subject.subject for subject in labelled})
    if is_new := bool(stale) or len(rows) != len(before) or not features_file.is_file():
        # Before the measuring. A table that holds may lie where nobody may write.
        require_place(features_file, INPUT_COLUMNS[0])
    logger.info("%s: %d subjects up to date, %d to measure", features_file, len(rows), len(stale))
    if gone:
        logger.info("%s: dropped %d subjects not labelled in the cohort any more: %s", features_file, len(gone), gone)
    arguments = [(subject, cohort.dataset_dir, fov_mm) for subject in stale]
    show = progress and bool(stale)
    outcomes = in_parallel(
        measure_subject, arguments, workers=workers, label="measure masks", unit="subject", progress=show
    )
    for done, (name, outcome) in enumerate(outcomes, start=1):
        if isinstance(outcome, str):
            failures[name] = outcome
        else:
            rows[name] = {**outcome, **inputs[name], "package_version": __version__}
        if done % SUBJECTS_PER_SAVE == 0:
            _save(rows, features_file)
    if is_new:
        _save(rows, features_file)
    if failures:
        _raise_failures(failures, len(labelled), features_file)
    return load_features(features_file)


def measure_subject(
    subject: Subject, dataset_dir: str | Path, fov_mm: Sequence[float]
) -> tuple[str, dict[str, float] | str]:
    """Read and measure one labelled subject: its name and its columns, or its name and why it failed."""
    try:
        labels, spacing = read_mask(Path(dataset_dir) / str(subject.seg), subject.label_map, subject.orientation)
        features = measure_mask(labels, spacing, fov_mm=fov_mm)
    # Whatever one file does, the other subjects go on: every reason is reported together at the end.
    except Exception as error:
        return subject.subject, f"{type(error).__name__}: {error}"
    return subject.subject, {**features, **dict(zip(SPACING_COLUMNS, map(float, spacing), strict=True))}


def load_features(features_file: str | Path) -> pd.DataFrame:
    """Read a table written by `measure_cohort`, to the last bit. Raises where it is missing or of another schema."""
    features_file = Path(features_file)
    if not features_file.is_file():
        raise FileNotFoundError(f"{features_file}: no features table; {REMEDY}")
    # pandas' faster default parser may change the last digit, and with it the hash of the features.
    table = pd.read_csv(features_file, dtype={"subject": str}, float_precision="round_trip", keep_default_na=False)
    missing = [column for column in ("subject", *TABLE_COLUMNS) if column not in table.columns]
    if missing:
        raise ValueError(f"{features_file}: not a features table, the columns {listed(missing)} are missing; {REMEDY}")
    versions = set(table["schema_version"])
    if versions - {SCHEMA_VERSION}:
        raise ValueError(
            f"{features_file}: expected schema version {SCHEMA_VERSION}, found {sorted(versions)}; {REMEDY}"
        )
    return table.set_index("subject")[list(TABLE_COLUMNS)]


def _inputs(
    labelled: Sequence[Subject], dataset_dir: Path, fov_mm: Sequence[float]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """INPUT_COLUMNS of every subject whose mask can be read, and the reason for each that cannot."""

    def digest(subject: Subject) -> tuple[str | None, str]:
        try:
            return sha256_of_files([Path(dataset_dir) / str(subject.seg)]), ""
        except OSError as error:
            return None, f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor() as pool:  # Waiting for the disk, not for a core: threads do.
        digests = list(pool.map(digest, labelled))
    inputs, failures = {}, {}
    for subject, (sha256, reason) in zip(labelled, digests, strict=True):
        if sha256 is None:
            failures[subject.subject] = reason
            continue
        label_map = json.dumps({str(raw): subject.label_map[raw] for raw in sorted(subject.label_map)})
        values = (sha256, label_map, subject.orientation or "", *map(float, fov_mm), SCHEMA_VERSION)
        inputs[subject.subject] = dict(zip(INPUT_COLUMNS, values, strict=True))
    return inputs, failures


def _previous_rows(features_file: Path) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run by subject; none where there is no such table, which is said."""
    if not features_file.is_file():
        return {}
    try:
        rows = load_features(features_file).to_dict(orient="index")
    except ValueError as error:
        logger.warning("every subject is measured anew: %s", error)
        return {}
    return {str(name): {str(column): value for column, value in row.items()} for name, row in rows.items()}


def _same_inputs(row: dict[str, Any], inputs: dict[str, Any]) -> bool:
    return all(row[column] == inputs[column] for column in INPUT_COLUMNS)


def _raise_failures(failures: dict[str, str], labelled: int, features_file: Path) -> None:
    listing = "\n".join(f"  {name}: {reason}" for name, reason in sorted(failures.items()))
    raise ValueError(
        f"{len(failures)} of {labelled} masks could not be measured (the other rows are saved in {features_file}):\n"
        f"{listing}\nrepair or remove these files, then run `index` and `precompute` again"
    )


def _save(rows: dict[str, dict[str, Any]], features_file: Path) -> None:
    """Write the table atomically, sorted by subject whatever the order in which workers finished."""
    index = pd.Index(sorted(rows), name="subject")
    table = pd.DataFrame([rows[name] for name in index], index=index, columns=list(TABLE_COLUMNS))
    write_text_atomically(features_file, table.to_csv(lineterminator="\n"))
