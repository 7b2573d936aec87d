"""Cohort, split and features -> the items that a dataset takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from semivae_bundle.data.cohort import Cohort
from semivae_bundle.features.normalizer import Normalizer


def require_training_subjects(splits: Mapping[str, Sequence[str]]) -> None:
    """ValueError where there is nobody to train on."""
    if not splits["train"]:
        sizes = {name: len(subjects) for name, subjects in splits.items()}
        raise ValueError(
            f"train: no subject in the split (sizes: {sizes}); leave out the recipe shipped, which is for evaluating "
            "alone, or give the split a share with --split_fractions and index again"
        )


def make_datalist(
    cohort: Cohort, splits: Mapping[str, Sequence[str]], split: str, features: pd.DataFrame, normalizer: Normalizer
) -> list[dict[str, Any]]:
    """One dict per subject of `split`, in the split's order.

    Keys: subject; patient; image (four paths, or one path of a 4-D file with `channels`); label (path) and label_map
    where labelled; orientation where overridden; features and present (F,) float32, in the normalizer's order, zeros
    where unlabelled.
    """
    by_id = {subject.subject: subject for subject in cohort.subjects}
    labelled = [name for name in splits[split] if by_id[name].seg is not None]
    # `loc` first: a labelled subject without a row is an error; only the unlabelled are absent throughout.
    values, present = normalizer.transform(features.loc[labelled].reindex(list(splits[split])))
    items = []
    for position, name in enumerate(splits[split]):
        subject = by_id[name]
        item = {**subject.item(cohort.dataset_dir), "patient": subject.patient}
        items.append({**item, "features": values[position], "present": present[position].astype(np.float32)})
    return items
