"""All scans of a cohort -> one table of what a network makes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from semivae_bundle.data.cohort import Cohort
from semivae_bundle.data.dataset import CachedSubjects
from semivae_bundle.data.files import atomic_path
from semivae_bundle.evaluation.predictions import latent_columns
from semivae_bundle.evaluation.traversal_encoding import encode_scans

WHO = ("patient", "visit", "date", "split")
PREDICTED, MEASURED = "predicted_", "measured_"


def write_encodings(
    dataset: CachedSubjects,
    network: nn.Module,
    columns: Sequence[str],
    partition: Mapping[str, int],
    cohort: Cohort,
    splits: Mapping[str, Sequence[str]],
    file: str | Path,
    progress: bool,
) -> Path:
    """Encode every scan of `dataset` and write one row each, sorted by subject, whole or not at all.

    subject; patient, visit, date, split; the posterior mean by the names of `latent_columns`; predicted_<column> and
    measured_<column> of the target `columns`, both in the normalizer's units, empty where nothing was measured.
    """
    encoded = encode_scans(dataset, network, len(dataset), progress=progress)
    split_of = {name: split for split, names in splits.items() for name in names}
    known = {subject.subject: subject for subject in cohort.subjects}
    who = [(known[name].patient, known[name].visit, known[name].date or "", split_of[name]) for name in encoded.scans]
    target = np.stack([item["features"] for item in dataset.data]).astype(np.float64)
    present = np.stack([item["present"] for item in dataset.data]) > 0
    numbers = np.hstack([encoded.codes, encoded.predicted, np.where(present, target, np.nan)])
    names = [*latent_columns(partition), *(f"{kind}{column}" for kind in (PREDICTED, MEASURED) for column in columns)]
    index = pd.Index(encoded.scans, name="subject")
    table = pd.concat(
        [pd.DataFrame(who, columns=list(WHO), index=index), pd.DataFrame(numbers, columns=names, index=index)], axis=1
    )
    with atomic_path(Path(file)) as part:
        table.sort_index().to_csv(part, float_format="%.9g")
    print(f"{file}: {len(table)} scans encoded", flush=True)
    return Path(file)
