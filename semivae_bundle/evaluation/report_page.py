"""metrics.json, predictions.csv and the figures -> report.html: one page, complete in itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semivae_bundle.data.files import read_record, write_text_atomically
from semivae_bundle.evaluation.figure_training import history_file_of, read_history
from semivae_bundle.evaluation.page_context import page_context
from semivae_bundle.evaluation.page_numbers import DASH, between, estimate, number, unit
from semivae_bundle.evaluation.verdict_targets import VerdictTargets

PAGE = "report.html"
AGAIN = "it is damaged or was edited: evaluate again"
DRAWN_ANEW = {"leakage"}  # the page has it as a table


def write_report_page(folder: Path, targets: VerdictTargets) -> Path:
    """Write report.html beside metrics.json, from what stands there and, where it is of the training of the
    same weights, in metrics.csv above; the same bytes for the same files. `targets` are those of the verdicts.
    """
    report = read_metrics(folder)
    report["verdict_targets"] = asdict(targets)
    predictions = read_predictions(folder / "predictions.csv")
    figures = sorted(file for file in folder.glob("*.png") if file.stem not in DRAWN_ANEW)
    history_file = history_file_of(folder, report["provenance"])
    history = None if history_file is None else read_history(history_file)
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(page_context(report, predictions, figures, targets, history))
    )
    write_text_atomically(folder / PAGE, page)
    return folder / PAGE


def read_metrics(folder: Path) -> dict[str, Any]:
    """metrics.json of an evaluation's folder. ValueError for a damaged one."""
    file = folder / "metrics.json"
    if not file.is_file() or not (folder / "predictions.csv").is_file():
        raise FileNotFoundError(
            f"{folder}: expected metrics.json and predictions.csv, found no such pair; run evaluate first"
        )
    return read_record(file, AGAIN)


def read_predictions(file: Path) -> pd.DataFrame:
    """predictions.csv by subject; ValueError for a damaged one. Only an empty cell is no value, so a subject may be
    called NA or 007.
    """
    text = {"subject": str, "patient": str}
    try:
        table = pd.read_csv(file, dtype=text, keep_default_na=False, na_values=[""])
    except ValueError as error:  # empty, no table, not UTF-8
        raise ValueError(f"{file}: expected a table, found {error}; {AGAIN}") from error
    if missing := [column for column in text if column not in table]:
        raise ValueError(f"{file}: expected a column {missing[0]}, found {list(table)[:3]}; {AGAIN}")
    return table.set_index("subject")


def recorded_targets(report: Mapping[str, Any], config_file: Path) -> dict[str, float]:
    """The targets that an evaluation was judged by; those of `config_file` for one from before there were any."""
    if "verdict_targets" in report:
        return dict(report["verdict_targets"])
    named = json.loads(config_file.read_text(encoding="utf-8"))["verdict_targets"]
    return {name: value for name, value in named.items() if not name.startswith("_")}


def anchor(text: str) -> str:
    """Text -> what an id and a link to it may hold; different texts stay different."""
    return re.sub(r"[^A-Za-z0-9_.-]", lambda found: f"-{ord(found[0]):x}-", text)


def _environment() -> Environment:
    # Subjects are named by whoever made the cohort: all that is put in is escaped.
    environment = Environment(
        loader=PackageLoader("semivae_bundle.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}  # in the order they stand in
    environment.filters |= {
        "number": number,
        "estimate": estimate,
        "unit": unit,
        "anchor": anchor,
        "percent": lambda share: DASH if share is None else f"{share:.0%}".replace("%", " %"),
    }
    style = environment.get_template("report.css").render()
    environment.globals |= {"between": between, "dash": DASH, "style": Markup(style)}
    return environment
