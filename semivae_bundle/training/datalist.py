"""Cohort, split and features -> the items that a dataset takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from semivae_bundle.data.cohort import Cohort
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.features.normalizer import Normalizer


def make_datalist(
    cohort: Cohort, splits: Mapping[str, Sequence[str]], split: str, features: pd.DataFrame, normalizer: Normalizer
) -> list[dict[str, Any]]:
    """One dict per subject of `split`, in the split's order.

    Keys: subject; image (four paths, or one path of a 4-D file with `channels`); label (path) and label_map where
    labelled; orientation where overridden; features and present (F,) float32, in the normalizer's order, zeros where
    unlabelled.
    """
    by_id = {subject.subject: subject for subject in cohort.subjects}
    items = []
    for subject_id in splits[split]:
        subject = by_id[subject_id]
        refs = [subject.images[modality] for modality in MODALITIES]
        paths = [str(cohort.dataset_dir / ref.path) for ref in refs]
        four_d = refs[0].channel is not None
        item: dict[str, Any] = {"subject": subject_id, "image": paths[0] if four_d else paths}
        if four_d:
            item["channels"] = [ref.channel for ref in refs]
        if subject.orientation is not None:
            item["orientation"] = subject.orientation
        item["features"] = np.zeros(len(normalizer.columns), np.float32)
        item["present"] = np.zeros(len(normalizer.columns), np.float32)
        if subject.seg is not None:
            values, present = normalizer.transform(features.loc[[subject_id]])
            item |= {"label": str(cohort.dataset_dir / subject.seg), "label_map": dict(subject.label_map)}
            item |= {"features": values[0].astype(np.float32), "present": present[0].astype(np.float32)}
        items.append(item)
    return items
