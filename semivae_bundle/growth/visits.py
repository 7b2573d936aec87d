"""The scans of an inference in the order of time, and what a flow between them is trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from semivae_bundle.data.wording import listed
from semivae_bundle.evaluation.export_tables import TURNED_AWAY, VERDICT
from semivae_bundle.growth.scans import SEGMENTED, VOLUME, needed_file, read_scans

UNTOLD_SPREAD = 0.3  # of a log-volume, for a scan without an interval


def read_visits(inference: str | Path, keep_novel: bool = False) -> pd.DataFrame:
    """The scans of an inference's patients of several visits, sorted by patient and time.

    Columns: those of features.csv and latents.csv; years since the patient's first scan; ln_volume (mm³) and its
    standard deviation ln_volume_sd, by the calibrated interval where there is one. What cannot be used is left out, and
    a line says how many and which: a second scan of the same images, scans without a date, scans that the novelty gate
    turns away (unless `keep_novel`), scans without a tumour, patients with one scan left. ValueError where no scan has
    a date, where nobody is left, and where the two tables disagree (`read_scans`).
    """
    folder = Path(inference)
    table = read_scans(folder)
    record = json.loads(needed_file(folder, "run.json").read_text(encoding="utf-8"))
    table = _without(table, _repeated(record, table), "the same images as another scan")
    dates = _dates(folder, table)
    spread = _volume_spread(record, table)
    ln_volume = np.log(table[VOLUME].where(table[VOLUME] > 0))
    days = (dates - dates.min()).dt.days  # NaN without a date
    added = pd.DataFrame({"days": days, "ln_volume": ln_volume, "ln_volume_sd": spread})
    table = pd.concat([table, added], axis="columns").sort_values(["patient", "days", "subject"], ignore_index=True)
    table = _without(table, table["days"].isna(), "without a date as YYYY-MM-DD")
    if not keep_novel and VERDICT in table:
        table = _without(table, table[VERDICT] == TURNED_AWAY, "unlike those calibrated on (novelty.csv)")
    table = _without(table, table["ln_volume"].isna() | (table[SEGMENTED] == 0), "without a tumour")
    table = _without(table, ~table["patient"].duplicated(keep=False), "of patients with no other")
    if table.empty:
        raise ValueError(
            f"{folder}: expected patients of several visits, found none; in the manifest a patient's rows have one "
            "`subject`, and `visit` tells them apart"
        )
    since_first = table["days"] - table.groupby("patient")["days"].transform("min")
    return pd.concat([table.drop(columns="days"), (since_first / 365.25).rename("years")], axis="columns")


@dataclass(frozen=True)
class Pairs:
    """P pairs of successive visits. `before`, `after` (P, L): the posterior means; `before_variance`, `after_variance`
    (P, L): the posterior's own; `years` (P,) between the two, never 0; `patients`: whose, P names.
    """

    before: Tensor
    after: Tensor
    before_variance: Tensor
    after_variance: Tensor
    years: Tensor
    patients: tuple[str, ...]


def successive_pairs(visits: pd.DataFrame) -> Pairs:
    """Every two successive visits of a patient, for a Neural ODE: from a code, over so many years, to the next.

    `visits`: as `read_visits` gives them. Scans of one day make no pair.
    """
    means, log_vars = ([name for name in map(str, visits) if name.startswith(start)] for start in ("mean_", "log_var_"))
    mean, log_var = (torch.tensor(visits[names].to_numpy(dtype=np.float32)) for names in (means, log_vars))
    gap = visits.groupby("patient")["years"].diff().to_numpy()
    after = torch.tensor(np.flatnonzero(gap > 0))
    before = after - 1
    return Pairs(
        before=mean[before],
        after=mean[after],
        before_variance=log_var[before].exp(),
        after_variance=log_var[after].exp(),
        years=torch.tensor(gap[after.numpy()], dtype=torch.float32),
        patients=tuple(visits["patient"].iloc[after.numpy()]),
    )


def repeat_variances(repeatability_file: str | Path) -> Tensor:
    """Variance of each dimension of the mean between repeats of one scan, (L,): the error of measurement that a flow
    between visits has to allow for. `repeatability_file`: what the run id repeating wrote.
    """
    dimensions = json.loads(Path(repeatability_file).read_text(encoding="utf-8"))["dimensions"]
    return torch.tensor([one["within_sd"]["value"] for one in dimensions.values()]).square()


def _dates(folder: Path, table: pd.DataFrame) -> pd.Series:
    dates = pd.to_datetime(table["date"], format="%Y-%m-%d", errors="coerce")
    if dates.isna().all():
        raise ValueError(
            f"{folder}: expected dates as YYYY-MM-DD, found none for {_named(list(table['subject']), len(table))}; "
            "infer with --manifest FILE, a table with the column date, and give each cohort an --output_dir of its own"
        )
    return dates


def _repeated(record: Mapping[str, Any], table: pd.DataFrame) -> pd.Series:
    """Scans whose images are, byte by byte, those of a scan before them: under two names a tumour stands still."""
    sources = {name: one["source"]["sha256"] for name, one in record.get("subjects", {}).items()}
    hashes = table["subject"].map(sources)
    return hashes.notna() & hashes.duplicated()


def _volume_spread(record: Mapping[str, Any], table: pd.DataFrame) -> NDArray[np.float64]:
    """Standard deviation of each ln V. Intervals are symmetric in ln(V + 1) with the lower end cut at 0: the upper
    end tells.
    """
    upper = f"{VOLUME}_upper"
    if upper not in table:
        return np.full(len(table), UNTOLD_SPREAD)
    level = record["calibration"]["level"]
    width = np.log1p(table[upper]) - np.log1p(table[VOLUME])
    if untold := list(table.loc[width.isna(), "subject"]):
        print(f"without an interval, taken as known to {UNTOLD_SPREAD:.0%}: {_named(untold, len(table))}")
    return (width / NormalDist().inv_cdf((1 + level) / 2)).fillna(UNTOLD_SPREAD).to_numpy()


def _without(table: pd.DataFrame, is_out: pd.Series, what: str) -> pd.DataFrame:
    """The rows that are not out; a line names those that are."""
    if out := list(table.loc[is_out, "subject"]):
        print(f"left out, {what}: {_named(out, len(table))}")
    return table[~is_out].reset_index(drop=True)


def _named(subjects: Sequence[str], total: int) -> str:
    return f"{len(subjects)} of {total} ({listed(subjects)})"
