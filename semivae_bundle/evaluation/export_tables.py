"""Tables that grow subject by subject and are whole on disk at every moment."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from semivae_bundle.data.files import write_csv_atomically

KEY = "subject"
# Column of novelty.csv, and its cell where the gate turns a scan away.
VERDICT, TURNED_AWAY = "in_distribution", "no"


class GrowingTable:
    """A CSV file with one row per subject, sorted by name, rewritten atomically at each `put`.

    Rows of an earlier run are taken over when `resume` is set. Numbers are written with nine significant digits, which
    give back a float32 exactly. Cells stay text, so that what was written once is never rounded again.
    """

    def __init__(self, file: str | Path, resume: bool) -> None:
        self.file = Path(file)
        self.columns: list[str] = []
        self.rows: dict[str, list[str]] = {}
        if resume and self.file.is_file():
            with self.file.open(newline="", encoding="utf-8") as stream:
                header, *rows = list(csv.reader(stream)) or [[]]
            self.columns = header[1:]
            self.rows = {row[0]: row[1:] for row in rows if len(row) == len(header)}

    def __contains__(self, subject: object) -> bool:
        return subject in self.rows

    def put(self, subject: str, values: Mapping[str, str | float]) -> None:
        """Add or replace one row; all rows share the columns of the first."""
        columns = list(values)
        if self.rows and columns != self.columns:
            differing = sorted(set(columns) ^ set(self.columns))
            raise ValueError(
                f"{self.file}: expected the columns of its other rows, found others ({differing[:6]}); write to "
                "another --output_dir"
            )
        self.columns = columns
        self.rows[subject] = [cell if isinstance(cell, str) else f"{cell:.9g}" for cell in values.values()]
        self.write()

    def correct(self, subject: str, cells: Mapping[str, str]) -> bool:
        """Replace some cells of a row; returns whether any was another before. `write` keeps it."""
        row = self.rows[subject]
        places = {self.columns.index(column): cell for column, cell in cells.items()}
        if all(row[place] == cell for place, cell in places.items()):
            return False
        self.rows[subject] = [places.get(place, cell) for place, cell in enumerate(row)]
        return True

    def write(self) -> None:
        """The whole table, in place of the file."""
        write_csv_atomically(self.file, [KEY, *self.columns], ([name, *self.rows[name]] for name in sorted(self.rows)))
