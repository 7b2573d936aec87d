"""Whether a tumour mask holds labels that can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.masks import LABEL_TOLERANCE, present_values
from semivae_bundle.data.problems import Problem, ProblemCode

LABELS = {0: 0, 1: 1, 2: 2, 3: 3}
# BraTS up to 2021 writes enhancing tumour as 4 and never uses 3.
LABELS_UP_TO_2021 = {0: 0, 1: 1, 2: 2, 4: 3}
# A registration may push a rim of the mask over the brain's edge; more than this share is a misplaced mask.
OUTSIDE_BRAIN_SHARE = 0.05


def decide_label_map(values: NDArray[np.float64]) -> Mapping[int, int]:
    """The BraTS convention that the values of a mask speak for: 4 means enhancing tumour where it occurs, else 3."""
    return LABELS_UP_TO_2021 if np.any(np.abs(values - 4) <= LABEL_TOLERANCE) else LABELS


def check_labels(
    data: NDArray[Any], label_map: Mapping[int, int] | None, subject: str, file: str
) -> tuple[Mapping[int, int], list[Problem]]:
    """Check a mask's values; returns the label map to use and the problems.

    `label_map` None: decided here, by the BraTS conventions. Otherwise the labels that the cohort itself declares.
    """
    allowed = "0, 1, 2 and 3 (or 4 in place of 3)" if label_map is None else _listing(sorted(label_map))

    def problem(code: ProblemCode, found: str, remedy: str) -> Problem:
        return Problem(code, subject, file, f"labels {allowed}", found, remedy)

    if not np.all(np.isfinite(data)):
        count = int(np.count_nonzero(~np.isfinite(data)))
        return LABELS, [problem(ProblemCode.NOT_FINITE, f"{count} voxels of NaN or infinity", "export the mask again")]
    values = present_values(data)
    whole = np.abs(values - np.rint(values)) <= LABEL_TOLERANCE
    problems = _of_one_label(values, subject, file) if label_map is None else []
    label_map = decide_label_map(values) if label_map is None else label_map
    if not whole.all():
        remedy = "the mask was interpolated or is a probability map: resample it with nearest neighbour or threshold it"
        problems.append(problem(ProblemCode.FRACTIONAL_LABELS, _listing(values[~whole]), remedy))
    negative = values[whole & (values < -LABEL_TOLERANCE)]
    if negative.size:
        remedy = "check the data type and scaling of the file"
        problems.append(problem(ProblemCode.NEGATIVE_LABELS, _listing(negative), remedy))
    labels = {int(value) for value in np.rint(values[whole])}
    both = labels >= {3, 4} and label_map is LABELS_UP_TO_2021
    if both:
        remedy = (
            "one of them is enhancing tumour: where 4 is (up to 2021), find out what 3 means; where 3 is, 4 may be a "
            "resection cavity (post-treatment cohorts since 2024): set it to 0"
        )
        problems.append(problem(ProblemCode.LABELS_3_AND_4, "3 and 4 in one mask", remedy))
    if unknown := sorted(label for label in labels - set(label_map) if label >= 0 and not (both and label == 3)):
        remedy = "map them to 1 (necrotic core), 2 (oedema) and 3 (enhancing tumour)"
        problems.append(problem(ProblemCode.UNKNOWN_LABELS, _listing(unknown), remedy))
    if not np.any(values != 0):
        remedy = "delete the mask to use the subject as unlabelled, or draw the tumour"
        problems.append(
            Problem(ProblemCode.EMPTY_MASK, subject, file, "some tumour", "only the background, label 0", remedy)
        )
    return label_map, problems


def check_place(mask: NDArray[Any], brain: NDArray[np.bool_], subject: str, file: str) -> list[Problem]:
    """Whether the mask lies in the brain: `brain` is where any image is not 0, on the mask's grid."""
    tumour = mask != 0
    size = int(np.count_nonzero(tumour))
    outside = int(np.count_nonzero(tumour & ~brain))
    if size == 0 or outside <= OUTSIDE_BRAIN_SHARE * size:
        return []
    return [
        Problem(
            ProblemCode.MASK_OUTSIDE_BRAIN,
            subject,
            file,
            f"at most {OUTSIDE_BRAIN_SHARE:.0%} of the mask where all four images are 0",
            f"{outside / size:.0%} ({outside} of {size} voxels)",
            "check that the mask belongs to these images and was not flipped or shifted",
        )
    ]


def _of_one_label(values: NDArray[np.float64], subject: str, file: str) -> list[Problem]:
    """A warning where 1 is all there is: whoever outlines a whole tumour writes 1 too, which counts as necrosis."""
    if not np.array_equal(values[values != 0], [1]):
        return []
    remedy = (
        "if it outlines the whole tumour, write 2 in place of 1 and train with targets of vol_total and vol_ed, or "
        "keep the subject without its mask; if all of it is necrosis, leave it"
    )
    found = "label 1 alone, which is measured as necrotic core"
    return [Problem(ProblemCode.ONE_LABEL, subject, file, "a tumour of several regions", found, remedy)]


def _listing(values: Any) -> str:
    """The first few values, for a message."""
    shown = [f"{float(value):g}" for value in values[:8]]
    return ", ".join(shown) + (f" and {len(values) - 8} others" if len(values) > 8 else "")
