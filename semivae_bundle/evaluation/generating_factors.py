"""What phantoms were generated from, where a cohort's folder says it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from semivae_bundle.evaluation.factor_table import FactorTable

CLAIMED = {
    "ln_volume": "vol",
    "fraction_ncr": "vol",
    "fraction_ed": "vol",
    "fraction_et": "vol",
    "centre_x_mm": "loc",
    "centre_y_mm": "loc",
    "centre_z_mm": "loc",
    "elongation": "shape",
    "sphericity": "shape",
    "irregularity": "shape",
    "smoothness": "residual",
    "infiltration": "residual",
    "rim": "residual",
    "mass_effect": "residual",
}
"""Factor -> the partition meant to hold it: those without a measured target fall to the residual. Left out is what one
scan does not show (growth), and what takes two values only (the number of foci).
"""


SETTLED = ("centre_x_mm", "centre_y_mm", "centre_z_mm", "sphericity")
"""What a patient's first visit has as stated. Later the tumour is larger, and the brain turns it elsewhere."""


def read_factors(folder: str | Path) -> pd.DataFrame | None:
    """`factors.csv` of a cohort of phantoms, one row per subject; None for a cohort that has none, as real data.

    Place and sphericity of later visits are NaN, since factors.csv repeats those of the first.
    """
    file = Path(folder) / "factors.csv"
    if not file.is_file():
        return None
    table = pd.read_csv(file)
    # A file of that name need not be ours: one without our columns is no table of factors.
    known = "subject" in table and bool(set(CLAIMED) & set(table.columns))
    if not known:
        return None
    if {"patient", "visit"} <= set(table.columns):
        is_later = table["visit"] > table.groupby("patient")["visit"].transform("min")
        table.loc[is_later, [name for name in SETTLED if name in table]] = np.nan
    return table.set_index("subject")


def generating_factors(table: pd.DataFrame, subjects: Sequence[str], partitions: Sequence[str]) -> FactorTable:
    """The factors of these subjects, in their order; NaN for a subject that the table lacks. A factor whose partition
    is not among `partitions` is left out.
    """
    names = tuple(name for name, where in CLAIMED.items() if name in table and where in partitions)
    values = table.reindex(list(subjects))[list(names)].to_numpy(dtype=np.float64)
    return FactorTable(names, tuple(CLAIMED[name] for name in names), values)
