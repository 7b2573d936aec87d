"""Fewer labels than there are: for learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from semivae_bundle.data.cohort import Cohort
from semivae_bundle.data.draw import place_in_queue
from semivae_bundle.data.problems import CohortError


def hide_labels(cohort: Cohort, splits: Mapping[str, Sequence[str]], *, fraction: float, seed: int) -> Cohort:
    """The cohort with the masks of all but the share `fraction` of the labelled training patients taken away.

    A patient keeps or loses the masks of all visits; validation and test keep theirs. The draw depends on the seed and
    the patients' names, and a smaller fraction keeps a part of what a larger one keeps. A datalist made from the result
    has no mask, no features and a cache entry without regions for the hidden subjects. A normalizer must be fitted on
    the rows of `labelled_subjects` alone, or the hidden measurements are known to it. Raises ValueError unless 0 <
    fraction <= 1, and CohortError where no training subject is labelled.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"label_fraction: expected a share above 0 and up to 1, found {fraction}")
    training = set(splits["train"])
    patients = {one.patient for one in cohort.subjects if one.subject in training and one.seg is not None}
    if not patients:
        raise CohortError(
            f"label_fraction: {cohort.dataset_dir}: no training subject is labelled; "
            "nothing to keep; add masks to training patients and index again"
        )
    # Rounded half up, so that the counts rise evenly; one patient at least.
    count = max(1, math.floor(fraction * len(patients) + 0.5))
    kept = set(sorted(patients, key=lambda patient: place_in_queue(patient, seed, "label:"))[:count])
    subjects = (
        replace(one, seg=None) if one.subject in training and one.patient not in kept else one
        for one in cohort.subjects
    )
    return replace(cohort, subjects=tuple(subjects))


def labelled_subjects(cohort: Cohort) -> list[str]:
    """Names of the subjects with a mask, in the cohort's order."""
    return [one.subject for one in cohort.subjects if one.seg is not None]


def only_labelled(splits: Mapping[str, Sequence[str]], cohort: Cohort) -> dict[str, list[str]]:
    """The splits with the unlabelled subjects of `cohort` dropped from training: supervision alone, for comparison.

    Raises CohortError where that leaves nobody.
    """
    labelled = set(labelled_subjects(cohort))
    training = [name for name in splits["train"] if name in labelled]
    if not training:
        raise CohortError(
            f"only_labelled: {cohort.dataset_dir}: no training subject is labelled; add masks and index again"
        )
    return {**{name: list(ids) for name, ids in splits.items()}, "train": training}
