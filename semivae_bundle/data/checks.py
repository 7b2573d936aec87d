"""Opening every file of a subject once, and saying all that is wrong with them."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semivae_bundle.data.brain_size import implausible_sizes
from semivae_bundle.data.grids import (
    FOV_MM,
    brain_foreground,
    check_duplicates,
    check_grids,
    check_heads,
    check_view,
    measure_geometry,
)
from semivae_bundle.data.mask_checks import LABELS, check_labels, check_place
from semivae_bundle.data.modality_subsets import absent
from semivae_bundle.data.orientation import Geometry, ambiguous_orientations
from semivae_bundle.data.problems import Problem, ProblemCode
from semivae_bundle.data.scans import MASK, read_scans
from semivae_bundle.data.subjects import MODALITIES, FoundSubject, ImageRef, Subject
from semivae_bundle.data.visit_dates import odd_dates
from semivae_bundle.data.visit_names import similar_patients, unsaid_visits


@dataclass(frozen=True)
class Inspection:
    """The outcome for one subject: `subject` is None where it cannot be used, `geometry` where it has no place.

    `digest` names the voxels of the first image, so that one scan under two names is noticed.
    """

    name: str
    subject: Subject | None
    problems: tuple[Problem, ...]
    geometry: Geometry | None = None
    digest: str = ""


def inspect_subject(
    found: FoundSubject,
    dataset_dir: str | Path,
    orientation: str | None = None,
    fov_mm: Sequence[float] = FOV_MM,
    *,
    allow_missing: bool = False,
) -> Inspection:
    """Read the files of one subject and check them; never raises for what the files hold.

    `orientation`: axis codes that the user states in place of the headers. `fov_mm`: what the network sees of a scan.
    `allow_missing`: one modality is enough, and each that is absent is a warning; a file that a list names and that is
    not there stays an error.
    """
    references = list(_references(found))
    scans, problems = read_scans(found.subject, references, Path(dataset_dir))
    problems = [*found.problems, *_file_problems(found, allow_missing), *problems]
    problems += check_grids(found.subject, scans)
    problems += check_duplicates(found.subject, scans)
    brain = brain_foreground(scans)
    label_map: Mapping[int, int] = found.label_map or LABELS
    for scan in scans:
        if scan.kind != MASK or scan.data is None:
            continue
        label_map, wrong = check_labels(scan.data, found.label_map, found.subject, scan.file)
        if brain is not None and scan.shape == brain.shape:
            wrong += check_place(scan.data, brain, found.subject, scan.file)
        problems += wrong
    usable = all(problem.is_warning for problem in problems)
    if usable:
        problems += check_heads(found.subject, scans)
        problems += check_view(found.subject, scans, fov_mm, orientation)
    subject = _subject(found, label_map, orientation) if usable else None
    geometry = measure_geometry(found.subject, scans) if usable else None
    return Inspection(found.subject, subject, tuple(problems), geometry, scans[0].digest if scans else "")


def all_warnings(inspections: Sequence[Inspection], orientation: Mapping[str, str]) -> list[Problem]:
    """What is odd about usable subjects: of each by itself, and what only the comparison shows.

    `orientation`: subject -> axis codes that the user states, which settles them.
    """
    geometries = [one.geometry for one in inspections if one.geometry is not None]
    subjects = [one.subject for one in inspections if one.subject is not None]
    own = [problem for inspection in inspections for problem in inspection.problems]
    return [
        *own,
        *repeated_subjects(inspections),
        *ambiguous_orientations(geometries, orientation),
        *implausible_sizes(geometries),
        *unsaid_visits(subjects),
        *similar_patients(subjects),
        *odd_dates(subjects, datetime.date.today()),
    ]


def repeated_subjects(inspections: Sequence[Inspection]) -> list[Problem]:
    """One scan under several names, which would leak between the splits."""
    names: dict[str, list[str]] = defaultdict(list)
    for inspection in inspections:
        names[inspection.digest].append(inspection.name)
    return [
        Problem(
            ProblemCode.DUPLICATE_SUBJECT,
            name,
            "",
            "other images than every other subject",
            f"the same voxels as {same[0]}",
            "used as it is, though it counts twice, in two splits or as a tumour that stood still: remove one",
        )
        for same in names.values()
        for name in same[1:]
    ]


def _subject(found: FoundSubject, label_map: Mapping[int, int], orientation: str | None) -> Subject:
    images = {modality: found.images[modality][0] for modality in MODALITIES if found.images.get(modality)}
    seg = found.segs[0] if found.segs else None
    return Subject(found.subject, found.patient, found.visit, found.date, images, seg, dict(label_map), orientation)


def _references(found: FoundSubject) -> Iterator[tuple[str, ImageRef]]:
    for modality in MODALITIES:
        yield from ((modality, ref) for ref in found.images.get(modality, ()))
    yield from ((MASK, ImageRef(path)) for path in found.segs)


def _file_problems(found: FoundSubject, allow_missing: bool) -> Iterator[Problem]:
    """Too few or too many files."""
    # A name shared by two sources, or a broken list, is the whole story: which files are missing means nothing then.
    if any(not problem.is_warning for problem in found.problems) and not found.images:
        return
    yield from _missing_modalities(found, allow_missing)
    for modality in MODALITIES:
        files = [ref.path for ref in found.images.get(modality, ())]
        if len(files) > 1:
            yield _several(ProblemCode.DUPLICATE_MODALITY, found.subject, f"one {modality} image", files)
    if len(found.segs) > 1:
        yield _several(ProblemCode.DUPLICATE_MASK, found.subject, "at most one mask", found.segs)
    if not found.segs and found.strangers:
        yield Problem(
            ProblemCode.UNRECOGNISED_FILE,
            found.subject,
            found.strangers[0],
            "a mask named like the images, ending in seg, or no further file",
            f"no mask, and {', '.join(found.strangers[:4])}",
            "used as unlabelled; if one of these is the mask, rename it",
        )


def _missing_modalities(found: FoundSubject, allow_missing: bool) -> Iterator[Problem]:
    """One problem per modality without a file; one in all where none has any and one would do."""
    have = ", ".join(modality for modality in MODALITIES if found.images.get(modality)) or "none"
    have += f"; unrecognised: {', '.join(found.strangers[:4])}" if found.strangers else ""
    missing = absent(modality for modality in MODALITIES if found.images.get(modality))
    if allow_missing and missing == MODALITIES:
        expected, remedy = f"at least one of {', '.join(MODALITIES)}", "add an image, or remove the subject"
        yield Problem(ProblemCode.MISSING_MODALITY, found.subject, "", expected, have, remedy)
        return
    for modality in missing:
        code, remedy = ProblemCode.MISSING_MODALITY, f"add the {modality} image, or remove the subject"
        if allow_missing:
            code = ProblemCode.ABSENT_MODALITY
            remedy = "used without it: its channel is 0, what is drawn of it is imputed, and no calibration holds"
        yield Problem(code, found.subject, "", f"one {modality} image", f"only {have}", remedy)


def _several(code: ProblemCode, subject: str, expected: str, files: Sequence[str]) -> Problem:
    remedy = "keep the right one only"
    if len({Path(file).parent for file in files}) > 1:
        remedy += "; if they are visits, list them in a manifest (subject, visit, date and the files), a row for each"
    return Problem(code, subject, files[0], expected, f"{len(files)}: {', '.join(files)}", remedy)
