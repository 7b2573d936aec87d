"""What is kept of each evaluated subject: a few hundred numbers, and the volumes of the few that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.overlap import Labels


@dataclass(frozen=True)
class SubjectResult:
    """One subject. `mean`, `log_var` (L,) are its posterior, `own_mean`, `own_log_var` (L,) the same in units of the
    prior, so what the scan adds to it; `predicted`, `target`, `present` (F,) its features in normalised units;
    `scores` the image and tumour-map figures by name, NaN where not defined.
    """

    subject: str
    labelled: bool
    mean: FloatArray
    log_var: FloatArray
    own_mean: FloatArray
    own_log_var: FloatArray
    predicted: FloatArray
    target: FloatArray
    present: NDArray[np.bool_]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class ShownSubject:
    """One subject's volumes, for the figures: image and reconstruction (4, D, H, W), brain (D, H, W), label maps
    (D, H, W) as decoded and as measured; `measured` is None for an unlabelled subject.
    """

    subject: str
    image: NDArray[np.float32]
    reconstruction: NDArray[np.float32]
    brain: NDArray[np.bool_]
    decoded: Labels
    measured: Labels | None


@dataclass(frozen=True)
class Results:
    """All subjects of an evaluation as arrays (n, ...); the fields are those of SubjectResult."""

    subjects: tuple[str, ...]
    patients: tuple[str, ...]
    labelled: NDArray[np.bool_]
    mean: FloatArray
    log_var: FloatArray
    own_mean: FloatArray
    own_log_var: FloatArray
    predicted: FloatArray
    target: FloatArray
    present: NDArray[np.bool_]
    scores: pd.DataFrame


def join_results(rows: Sequence[SubjectResult], patient_of: Mapping[str, str]) -> Results:
    """Rows -> arrays. `patient_of`: subject -> patient; a subject it lacks counts as a patient of its own."""
    if not rows:
        raise ValueError("evaluation: no subject was evaluated; expected at least one in the evaluated split")
    subjects = tuple(row.subject for row in rows)
    return Results(
        subjects=subjects,
        patients=tuple(patient_of.get(subject, subject) for subject in subjects),
        labelled=np.array([row.labelled for row in rows]),
        mean=np.stack([row.mean for row in rows]),
        log_var=np.stack([row.log_var for row in rows]),
        own_mean=np.stack([row.own_mean for row in rows]),
        own_log_var=np.stack([row.own_log_var for row in rows]),
        predicted=np.stack([row.predicted for row in rows]),
        target=np.stack([row.target for row in rows]),
        present=np.stack([row.present for row in rows]),
        scores=pd.DataFrame([dict(row.scores) for row in rows], index=pd.Index(subjects, name="subject")),
    )
