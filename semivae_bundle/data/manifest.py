"""A CSV file that lists the scans, for cohorts whose files follow no known naming."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from semivae_bundle.data.problems import CohortError, Problem, ProblemCode
from semivae_bundle.data.subjects import MODALITIES, FoundSubject, ImageRef, parse_name
from semivae_bundle.data.wording import listed

REQUIRED_COLUMNS = ("subject", *MODALITIES)
OPTIONAL_COLUMNS = ("visit", "date", "seg")


def read_manifest(dataset_dir: Path, manifest: str | Path) -> list[FoundSubject]:
    """One subject per row of `manifest` (a path in `dataset_dir`, or any other path).

    Columns: subject and four image paths; optional visit, date (YYYY-MM-DD) and seg. Paths are relative to
    `dataset_dir`, or absolute. Rows that share `subject` are visits of one patient and are called SUBJECT-VISIT. The
    case of a column's name does not matter; a line names the columns that nothing reads.
    """
    path = dataset_dir / manifest if (dataset_dir / manifest).is_file() else Path(manifest)
    if not path.is_file():
        raise FileNotFoundError(
            f"manifest: expected a CSV file, found none at {manifest}; give its path with manifest=FILE"
        )
    # utf-8-sig: spreadsheets put a byte-order mark before the first column's name.
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CohortError(
            f"{path}: expected a CSV file in UTF-8, found byte {error.object[error.start]:#x} at {error.start}; save "
            "it as 'CSV UTF-8'"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    reader.fieldnames = columns = _columns(path, reader.fieldnames or ())
    rows = list(reader)
    if long := [f"line {line}" for line, row in enumerate(rows, start=2) if any(map(str.strip, row.get(None) or ()))]:
        raise CohortError(
            f"{path}: expected {len(columns)} cells in a row, as its header has, found more in {listed(long)}; put a "
            "cell that has a comma in quotation marks, or name the column"
        )
    cells = [{key: str(value or "").strip() for key, value in row.items() if key} for row in rows]
    return [_subject(dataset_dir, row, line) for line, row in enumerate(cells, start=2) if any(row.values())]


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    """The columns' names in lower case. `CohortError` where one that is needed is not there, or any is there twice."""
    columns = [str(column).strip().lower() for column in header]
    if missing := [column for column in REQUIRED_COLUMNS if column not in columns]:
        expected = f"the columns {', '.join(REQUIRED_COLUMNS)} (and optionally {', '.join(OPTIONAL_COLUMNS)})"
        for mark, word in ((";", "semicolons"), ("\t", "tabs")):
            if {part.strip() for column in columns for part in column.split(mark)} >= set(REQUIRED_COLUMNS):
                raise CohortError(
                    f"{path}: expected {expected} separated by commas, found {word}; save it as CSV with commas"
                )
        raise CohortError(f"{path}: expected {expected}, found {columns}; add {', '.join(missing)}")
    if repeated := sorted({column for column in columns if column and columns.count(column) > 1}):
        raise CohortError(
            f"{path}: expected each column once, found several called {', '.join(repeated)}; keep the right one of each"
        )
    if unread := [column for column in columns if column not in REQUIRED_COLUMNS + OPTIONAL_COLUMNS]:
        print(f"{path}: columns that nothing reads: {', '.join(unread)}; optional are {', '.join(OPTIONAL_COLUMNS)}")
    return columns


def _subject(dataset_dir: Path, row: Mapping[str, str], line: int) -> FoundSubject:
    patient, visit = parse_name(row["subject"])
    name = row["subject"]
    named = name != patient  # A name without a visit counts as the first.
    if row.get("visit") and not (named and row["visit"] == visit):
        visit, name = row["visit"], f"{name}-{row['visit']}"
    problems = []
    # The name becomes part of file names that later steps write.
    if not name or name.startswith(".") or any(character in name for character in "/\\\0"):
        found, name = repr(name), name or f"line {line}"
        problem_code, expected = ProblemCode.UNUSABLE_NAME, "a subject name without slashes or a leading dot"
        problems.append(Problem(problem_code, name, "", expected, found, f"rename it in line {line} of the manifest"))
    date = row.get("date") or None
    if date and not _is_date(date):
        remedy = f"used without a date; correct line {line} of the manifest"
        problems.append(Problem(ProblemCode.INVALID_DATE, name, "", "a date as YYYY-MM-DD", repr(date), remedy))
        date = None
    images = {m: (ImageRef(_relative(dataset_dir, row[m])),) for m in MODALITIES if row[m]}
    segs = (_relative(dataset_dir, row["seg"]),) if row.get("seg") else ()
    return FoundSubject(name, patient, visit, date, images, segs, problems=tuple(problems))


def _relative(dataset_dir: Path, path: str) -> str:
    """Relative to the dataset folder where the file lies in it, so that the folder may move; else as it is."""
    full = dataset_dir.resolve() / path
    return full.relative_to(dataset_dir.resolve()).as_posix() if full.is_relative_to(dataset_dir.resolve()) else path


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
