"""The scans of an inference in the order of time, and what a flow between them is trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from semivae_bundle.data.files import read_record
from semivae_bundle.data.wording import listed
from semivae_bundle.evaluation.export_tables import TURNED_AWAY, VERDICT
from semivae_bundle.growth.scans import SEGMENTED, VOLUME, needed_file, read_scans

UNTOLD_SPREAD = 0.3  # of a log-volume, for a scan without an interval


def read_visits(inference: str | Path, keep_novel: bool = False) -> pd.DataFrame:
    """The scans of an inference's patients of several visits, sorted by patient and time.

    Columns: those of features.csv and latents.csv; years since the patient's first scan; ln_volume (mm³) and its
    standard deviation ln_volume_sd, by the calibrated interval where there is one. What cannot be used is left out, and
    a line says how many and which: scans without a date, a second scan of the same images, scans that the novelty gate
    turns away (unless `keep_novel`), scans without a tumour, patients with one scan or one day left. ValueError where
    no scan has a date, where nobody is left, and where the two tables disagree (`read_scans`).
    """
    return choose_visits(inference, keep_novel).visits


@dataclass(frozen=True)
class ChosenVisits:
    """`visits`: see `read_visits`. `left_out`: reason -> subjects. `without_interval`: subjects of `visits` whose
    volume is taken as known to `UNTOLD_SPREAD`.
    """

    visits: pd.DataFrame
    left_out: Mapping[str, Sequence[str]]
    without_interval: Sequence[str]


def choose_visits(inference: str | Path, keep_novel: bool) -> ChosenVisits:
    """`read_visits`, and what was left out of them."""
    folder = Path(inference)
    table = read_scans(folder)
    left_out: dict[str, list[str]] = {}

    def leave_out(is_out: Callable[[pd.DataFrame], pd.Series], why: str) -> None:
        nonlocal table
        left = is_out(table)
        if out := list(table.loc[left, "subject"]):
            print(f"left out, {why}: {_named(out, len(table))}")
            left_out[why] = out
        table = table[~left].reset_index(drop=True)

    record = read_record(needed_file(folder, "run.json"), "infer again into an empty folder")
    table = _in_time(folder, table)
    # Before the copies: of two, the one with a date is to stay.
    leave_out(lambda scans: scans["days"].isna(), "without a date as YYYY-MM-DD")
    leave_out(lambda scans: _repeated(record, scans), "the same images as another scan")
    if not keep_novel and VERDICT in table:
        leave_out(lambda scans: scans[VERDICT] == TURNED_AWAY, "unlike those calibrated on (novelty.csv)")
    leave_out(lambda scans: scans["ln_volume"].isna() | (scans[SEGMENTED] == 0), "without a tumour")
    leave_out(lambda scans: ~scans["patient"].duplicated(keep=False), "of patients with no other")
    leave_out(
        lambda scans: scans.groupby("patient")["days"].transform("nunique") == 1,
        "of patients whose scans are all of one day",
    )
    if table.empty:
        raise ValueError(
            f"{folder}: expected patients of several visits, found none; in the manifest a patient's rows have one "
            "`subject`, and `visit` tells them apart"
        )
    since_first = (table["days"] - table.groupby("patient")["days"].transform("min")) / 365.25
    spread = _volume_spread(record, table)
    known = pd.DataFrame({"ln_volume_sd": spread.fillna(UNTOLD_SPREAD), "years": since_first})
    visits = pd.concat([table.drop(columns="days"), known], axis="columns")
    return ChosenVisits(visits, left_out, list(table.loc[spread.isna(), "subject"]))


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


def repeat_variances(repeatability_file: str | Path, inference: str | Path) -> Tensor:
    """Variance of each dimension of the mean between repeats of one scan, (L,): the error of measurement that a flow
    between visits has to allow for.

    `repeatability_file`: what the run id repeating wrote; `inference`: the folder that the visits come from. ValueError
    where the two are of other weights, whose codes mean other things.
    """
    report = read_record(repeatability_file, "run repeating again")
    run = read_record(needed_file(Path(inference), "run.json"), "infer again into an empty folder")
    repeated, inferred = (one["checkpoint"]["sha256"] for one in (report["provenance"], run))
    if repeated != inferred:
        raise ValueError(
            f"{repeatability_file}: expected repeats with the weights of {inference}, {inferred[:12]}, found "
            f"{str(repeated)[:12]}; give both commands the same --checkpoint"
        )
    columns = pd.read_csv(needed_file(Path(inference), "latents.csv"), nrows=0).columns
    names = [name.removeprefix("mean_") for name in columns if name.startswith("mean_")]
    if names != list(report["dimensions"]):
        raise ValueError(f"{repeatability_file}: expected the dimensions of latents.csv in {inference}, found others")
    return torch.tensor([one["within_sd"]["value"] for one in report["dimensions"].values()]).square()


def _in_time(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    """By patient and time, with days since the first scan of all and ln_volume; NaN for no date or volume."""
    dates = pd.to_datetime(table["date"], format="%Y-%m-%d", errors="coerce")
    if dates.isna().all():
        raise ValueError(
            f"{folder}: expected dates as YYYY-MM-DD, found none for {_named(list(table['subject']), len(table))}; "
            "infer with --manifest FILE, a table with the column date, and give each cohort an --output_dir of its own"
        )
    days, ln_volume = (dates - dates.min()).dt.days, np.log(table[VOLUME].where(table[VOLUME] > 0))
    table = pd.concat([table, pd.DataFrame({"days": days, "ln_volume": ln_volume})], axis="columns")
    return table.sort_values(["patient", "days", "subject"], ignore_index=True)


def _repeated(record: Mapping[str, Any], table: pd.DataFrame) -> pd.Series:
    """Scans whose images are, byte by byte, those of a scan before them: under two names a tumour stands still."""
    sources = {name: one["source"]["sha256"] for name, one in record.get("subjects", {}).items()}
    hashes = table["subject"].map(sources)
    return hashes.notna() & hashes.duplicated()


def _volume_spread(record: Mapping[str, Any], table: pd.DataFrame) -> pd.Series:
    """Standard deviation of each ln V, NaN without an interval. Intervals are symmetric in ln(V + 1) with the lower end
    cut at 0: the upper end tells.
    """
    upper = f"{VOLUME}_upper"
    if upper not in table:
        print(f"no calibrated intervals: all volumes are taken as known to {UNTOLD_SPREAD:.0%}; see calibrate")
        return pd.Series(np.nan, index=table.index)
    level = record["calibration"]["level"]
    width = np.log1p(table[upper]) - np.log1p(table[VOLUME])
    if untold := list(table.loc[width.isna(), "subject"]):
        print(f"without an interval, taken as known to {UNTOLD_SPREAD:.0%}: {_named(untold, len(table))}")
    return width / NormalDist().inv_cdf((1 + level) / 2)


def _named(subjects: Sequence[str], total: int) -> str:
    return f"{len(subjects)} of {total} ({listed(subjects)})"
