"""Dividing patients between training, validation and test: seeded, stratified, and steady while a cohort grows."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from semivae_bundle import __version__
from semivae_bundle.data.draw import place_in_queue
from semivae_bundle.data.files import read_record, write_json_atomically
from semivae_bundle.data.problems import CohortError
from semivae_bundle.data.subjects import Subject
from semivae_bundle.data.wording import listed, shown

SCHEMA = "semivae-splits/1"
SPLITS = ("train", "validation", "test")
EXAMPLE = "{'train': 0.7, 'validation': 0.15, 'test': 0.15}"
REMEDY = "draw them with: python -m monai.bundle run index --config_file configs/train.json --dataset_dir DIR"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitsRecord:
    """The content of splits.json: subject ids per split, what they were drawn with, and the split of every patient that
    was ever divided, also of those who are not there now.
    """

    splits: dict[str, list[str]]
    fractions: dict[str, float]
    seed: int
    patients: dict[str, str]


def split_patients(
    subjects: Sequence[Subject],
    *,
    fractions: Mapping[str, float],
    seed: int,
    previous: Mapping[str, Sequence[str]] | None = None,
    remembered: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """Split name -> sorted subject ids; all visits of a patient stay together.

    Labelled and unlabelled patients are divided each by `fractions`. Every split with a fraction above 0 gets a patient
    while there are enough, and a labelled one while there are enough of those, in the order train, validation, test.
    Patients with a scan in `previous` (an earlier result) keep their split, and so do those of `remembered` (patient ->
    split); only new ones are drawn. The draw depends on the seed, the fractions, and the names of the patients and
    which of them have a mask, not on the order of `subjects`.
    """
    fractions = check_fractions(fractions)
    by_patient: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        by_patient[subject.patient].append(subject)
    wanted = [split for split in SPLITS if fractions[split] > 0]
    if len(by_patient) < min(2, len(wanted)):
        raise CohortError(
            f"splits: expected at least 2 patients for the fractions {fractions}, found {len(by_patient)} "
            f"({sorted(by_patient)}); add patients, or train on all by --split_fractions {{'train':1.0}}"
        )
    known = {patient: split for patient, split in (remembered or {}).items() if patient in by_patient}
    assigned = known | _kept(by_patient, previous or {})
    labelled = {patient for patient, visits in by_patient.items() if any(visit.seg is not None for visit in visits)}
    for stratum in (labelled, set(by_patient) - labelled):
        new = sorted(stratum - set(assigned), key=lambda patient: place_in_queue(patient, seed))
        counts = Counter(assigned[patient] for patient in stratum & set(assigned))
        # Seats first: a split that has nobody of this stratum (or, for the unlabelled, nobody at all) takes one.
        occupied = set(counts) if stratum is labelled else set(assigned.values())
        empty = [split for split in wanted if split not in occupied]
        for patient in new:
            lacking = {split: fractions[split] * len(stratum) - counts[split] for split in wanted}
            split = empty.pop(0) if empty else max(wanted, key=lambda split: round(lacking[split], 9))
            assigned[patient] = split
            counts[split] += 1
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    for patient, split in assigned.items():
        splits[split] += [visit.subject for visit in by_patient[patient]]
    return {split: sorted(ids) for split, ids in splits.items()}


def divide_cohort(
    subjects: Sequence[Subject], splits_file: str | Path, *, fractions: Mapping[str, float], seed: int
) -> dict[str, list[str]]:
    """Draw the splits and write splits.json; an earlier one drawn with the same seed and fractions is extended."""
    fractions = check_fractions(fractions)
    before = SplitsRecord({}, fractions, seed, {})
    if Path(splits_file).is_file():
        record = read_splits_record(splits_file)
        if (record.seed, record.fractions) == (seed, fractions):
            before = record
        else:
            logger.warning("%s: drawn anew, since the seed or the fractions changed", splits_file)
    splits = split_patients(
        subjects, fractions=fractions, seed=seed, previous=before.splits, remembered=before.patients
    )
    split_of = {subject: split for split, ids in splits.items() for subject in ids}
    # A patient who is away for one index, as a disk may be, must not come back in another split.
    patients = before.patients | {subject.patient: split_of[subject.subject] for subject in subjects}
    write_splits(splits_file, splits, fractions=fractions, seed=seed, patients=patients)
    return splits


def check_fractions(fractions: Mapping[str, float]) -> dict[str, float]:
    """All three fractions, missing ones 0. Raises `CohortError` unless they are known, not negative and sum to 1."""
    if not isinstance(fractions, Mapping):
        raise CohortError(f"split_fractions: expected a mapping such as {EXAMPLE}, found {shown(fractions)}")
    problems = [f"unknown split {name!r}" for name in fractions if name not in SPLITS]
    problems += [f"{name} is {value!r}" for name, value in fractions.items() if not _is_share(value)]
    if not problems and abs((total := sum(map(float, fractions.values()))) - 1) >= 1e-6:
        problems.append(f"they sum to {total:g}")
    if problems:
        raise CohortError(
            f"split_fractions: expected shares of {', '.join(SPLITS)} in [0, 1] that sum to 1, found "
            f"{dict(fractions)} ({'; '.join(problems)}); for example {EXAMPLE}"
        )
    return {name: float(fractions.get(name, 0.0)) for name in SPLITS}


def _is_share(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= 1


def split_hash(splits: Mapping[str, Sequence[str]]) -> str:
    """Names a division: SHA-256 of its three sorted lists, whatever their order in `splits`."""
    canonical = {name: sorted(splits.get(name, ())) for name in SPLITS}
    return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_splits(
    splits_file: str | Path,
    splits: Mapping[str, Sequence[str]],
    *,
    fractions: Mapping[str, float],
    seed: int,
    patients: Mapping[str, str],
) -> None:
    """Write splits.json; `patients`: every patient that was ever divided -> split."""
    content = {
        "schema": SCHEMA,
        "package_version": __version__,
        "seed": seed,
        "fractions": check_fractions(fractions),
        "splits": {name: list(splits.get(name, ())) for name in SPLITS},
        "patients": dict(sorted(patients.items())),
    }
    write_json_atomically(Path(splits_file), content)


def load_splits(splits_file: str | Path) -> dict[str, list[str]]:
    """Split name -> subject ids."""
    return read_splits_record(splits_file).splits


def read_splits_record(splits_file: str | Path) -> SplitsRecord:
    """Read splits.json. Raises where it is missing, not of this schema, or has a subject in two splits."""
    splits_file = Path(splits_file)
    if not splits_file.is_file():
        raise FileNotFoundError(f"{splits_file}: no splits; {REMEDY}")
    content = read_record(splits_file, f"remove it and {REMEDY}", f"schema {SCHEMA!r}")
    try:
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r}")
        splits = {name: [str(subject) for subject in content["splits"][name]] for name in SPLITS}
        patients = {str(patient): str(split) for patient, split in content.get("patients", {}).items()}
        record = SplitsRecord(splits, check_fractions(content["fractions"]), int(content["seed"]), patients)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise CohortError(
            f"{splits_file}: expected schema {SCHEMA!r}, found {found}; remove it and {REMEDY}"
        ) from error
    counts = Counter(subject for ids in splits.values() for subject in ids)
    if repeated := sorted(subject for subject, count in counts.items() if count > 1):
        raise CohortError(
            f"{splits_file}: expected each subject once, found {listed(repeated)} repeatedly; edit the file"
        )
    return record


def _kept(by_patient: Mapping[str, Sequence[Subject]], previous: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Patient -> split, for those with a visit in `previous`."""
    split_of = {subject: split for split, ids in previous.items() for subject in ids}
    kept = {}
    for patient, visits in by_patient.items():
        before = {split_of[visit.subject] for visit in visits if visit.subject in split_of}
        if len(before) > 1:
            raise CohortError(
                f"{patient}: expected all visits in one split, found them in {', '.join(sorted(before))} of the "
                "earlier splits.json; remove that file, or move the visits together in it"
            )
        if before:
            kept[patient] = before.pop()
    return kept
