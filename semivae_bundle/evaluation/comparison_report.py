"""Two evaluations -> comparison.csv, comparison.md and comparison.png."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semivae_bundle.data.files import write_csv_atomically, write_text_atomically
from semivae_bundle.evaluation.bootstrap import METHOD
from semivae_bundle.evaluation.figure_comparison import comparison_figure
from semivae_bundle.evaluation.figure_style import save_figure
from semivae_bundle.evaluation.page_numbers import between, number, unit
from semivae_bundle.evaluation.paired_runs import PairedRuns, read_paired_runs
from semivae_bundle.evaluation.run_comparison import Compared, Paired, compare_runs

FIGURES = ("first", "second", "difference", "low", "high")
HEADER = (
    *("level", "name", "partition", "subjects"),
    *(f"{what}_{figure}" for what in ("r2", "mae") for figure in FIGURES),
    *("mae_unit", "p_value", "q_value", "better"),
)


def write_comparison(
    first: Path, second: Path, folder: Path, *, draws: int, false_discovery_rate: float
) -> tuple[Path, str]:
    """Compare the evaluations in the folders `first` and `second`, write into `folder`; the page's path and text.

    Level, resamples and seed of the bootstrap are those of the first evaluation.
    """
    whole, share = isinstance(draws, int), isinstance(false_discovery_rate, int | float)
    if not whole or draws < 1 or not share or not 0 < false_discovery_rate < 1:
        raise ValueError(
            "compare: expected draws, a whole number >= 1, and a false_discovery_rate between 0 and 1, found "
            f"{draws!r} and {false_discovery_rate!r}"
        )
    if first.resolve() == second.resolve():
        raise ValueError(f"compare: expected two runs, found the folder {first} twice; give that of the other")
    runs, report, other = read_paired_runs(first, second)
    spread = report["intervals"]
    features, partitions = compare_runs(
        runs, level=spread["level"], resamples=spread["resamples"], draws=draws, seed=spread["seed"]
    )
    rows = [["feature", *_cells(one, false_discovery_rate)] for one in features]
    rows += [["partition", *_cells(one, false_discovery_rate)] for one in partitions]
    write_csv_atomically(folder / "comparison.csv", HEADER, rows)
    figure = comparison_figure(features, partitions, false_discovery_rate, spread["level"])
    save_figure(figure, folder / "comparison.png")
    who = [f"`{path}` ({_made_by(made)})" for path, made in ((first, report), (second, other))]
    text = comparison_page(runs, features, partitions, who, spread, draws, false_discovery_rate)
    write_text_atomically(folder / "comparison.md", text)
    return folder / "comparison.md", text


def comparison_page(
    runs: PairedRuns,
    features: Sequence[Compared],
    partitions: Sequence[Compared],
    who: Sequence[str],
    spread: Mapping[str, Any],
    draws: int,
    rate: float,
) -> str:
    """The Markdown page. `who`: both runs in words; `spread`: the section intervals of metrics.json."""
    found = {which: [one.name for one in features if one.better(rate) == which] for which in ("second", "first")}
    lines = [
        *("# Two runs on the same subjects", "", f"First: {who[0]}", f"<br>second: {who[1]}", ""),
        f"{len(runs.subjects)} subjects of {len(set(runs.patients))} patients. Differences are second minus first: "
        "above 0 in R², below 0 in the mean absolute error, the second is better.",
        "",
        *(f"The {which} is better in {', '.join(names) or 'no feature'}.  " for which, names in found.items()),
        "",
        *_table("feature", features, rate),
        "",
        *_table("partition", partitions, rate),
        "",
        "![differences of R²](comparison.png)",
        "",
        f"In brackets {spread['level']:.0%} intervals: paired {METHOD}, "
        f"{spread['resamples']} resamples, seed {spread['seed']}. p: random signs of each patient's difference of "
        f"squared errors (a partition's: the sum of its features', each over its scans), {draws} draws; q: Benjamini "
        f"and Hochberg's, over features and over partitions. Better: q of {rate:g} or less.",
        "",
        "R² is of the quantity itself (volumes and surfaces in logarithms). A residualised feature's R² in "
        "metrics.json is of what is left after its regression on the volume, so it is another number. A partition's "
        "error is in standard deviations of what was measured, the mean over its features. Subjects, patients and "
        "measured values agree; whether both networks saw the same images is not recorded.",
    ]
    if runs.left_out:
        lines += ["", f"Left out, since one run lacks them: {', '.join(runs.left_out)}."]
    return "\n".join(lines) + "\n"


def _table(title: str, rows: Sequence[Compared], rate: float) -> list[str]:
    head = [title, "n", "R², first", "second", "difference", "MAE, first", "second", "difference", "p", "q", "better"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for one in rows:
        r2, mae, in_unit = one.r2, one.mae, unit(one.unit)
        cells = [one.name, str(one.subjects), number(r2.first), number(r2.second), _difference(r2, ".3f")]
        cells += [number(mae.first, ".3g"), number(mae.second, ".3g"), f"{_difference(mae, '.3g')} {in_unit}".rstrip()]
        cells += [number(one.p_value, ".4f"), number(one.q_value, ".4f"), one.better(rate)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _difference(found: Paired, digits: str) -> str:
    return f"{number(found.difference, digits)} ({between(found.low, found.high, digits)})"


def _cells(one: Compared, rate: float) -> list[object]:
    figures = [getattr(paired, figure) for paired in (one.r2, one.mae) for figure in FIGURES]
    return [one.name, one.partition, one.subjects, *figures, one.unit, one.p_value, one.q_value, one.better(rate)]


def _made_by(report: Mapping[str, Any]) -> str:
    source = report["provenance"]
    checkpoint = source.get("checkpoint", {})
    weights = f"{checkpoint.get('file', 'weights unknown')}, SHA-256 {str(checkpoint.get('sha256', ''))[:12]}"
    return f"{source.get('split', 'unknown')} split, {weights}"
