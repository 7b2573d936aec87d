"""A folder of scans -> the checked cohort: what is usable, what is not and why, and who trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from semivae_bundle import __version__
from semivae_bundle.data.changes import refuse_replaced_files, say_what_changed
from semivae_bundle.data.checks import Inspection, all_warnings, inspect_subject
from semivae_bundle.data.file_states import FileState, file_states
from semivae_bundle.data.files import read_record, write_json_atomically
from semivae_bundle.data.grids import FOV_MM, require_field_of_view
from semivae_bundle.data.layouts import find_subjects, say_unclaimed, unclaimed_files
from semivae_bundle.data.orientation import check_overrides, require_overrides
from semivae_bundle.data.parallel import in_parallel, require_workers
from semivae_bundle.data.places import require_place
from semivae_bundle.data.problems import CohortError, Problem, Quarantined
from semivae_bundle.data.splits import SCHEMA as SPLITS_SCHEMA
from semivae_bundle.data.splits import check_fractions, divide_cohort, load_splits, read_splits_record
from semivae_bundle.data.subjects import FoundSubject, Subject
from semivae_bundle.data.summary import summarise_cohort, summarise_splits
from semivae_bundle.data.wording import listed, not_whole

SCHEMA = "semivae-cohort/1"
REMEDY = "make it with: python -m monai.bundle run index --config_file configs/train.json --dataset_dir DIR"


@dataclass(frozen=True)
class Cohort:
    """The checked scans under `dataset_dir`, sorted by name. `warnings` are about usable subjects.

    `options` are the manifest and the orientations that the cohort was indexed with. `files`: path -> the state of each
    file of the subjects when it was checked; empty in what earlier versions wrote.
    """

    dataset_dir: Path
    subjects: tuple[Subject, ...]
    quarantine: tuple[Quarantined, ...] = ()
    warnings: tuple[Problem, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, FileState] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the same folder gives the same values."""
        return {
            "schema": SCHEMA,
            "package_version": __version__,
            "dataset_dir": str(self.dataset_dir),
            "options": dict(self.options),
            "subjects": [subject.to_dict() for subject in self.subjects],
            "quarantine": [entry.to_dict() for entry in self.quarantine],
            "warnings": [problem.to_dict() for problem in self.warnings],
            "files": {path: asdict(state) for path, state in self.files.items()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Cohort:
        """Inverse of `to_dict`."""
        if record["schema"] != SCHEMA:
            raise ValueError(f"schema {record['schema']!r}")
        return cls(
            dataset_dir=Path(record["dataset_dir"]),
            subjects=tuple(map(Subject.from_dict, record["subjects"])),
            quarantine=tuple(map(Quarantined.from_dict, record["quarantine"])),
            warnings=tuple(map(Problem.from_dict, record["warnings"])),
            options=record["options"],
            files={path: FileState(**state) for path, state in record.get("files", {}).items()},
        )


def index_cohort(
    dataset_dir: str | Path,
    cohort_file: str | Path,
    splits_file: str | Path,
    *,
    fractions: Mapping[str, float],
    seed: int,
    strict: bool = False,
    manifest: str | Path | None = None,
    orientation: Mapping[str, str] | None = None,
    fov_mm: Sequence[float] = FOV_MM,
    workers: int | None = -1,
    progress: bool = True,
    trained: str | Path | None = None,
) -> Cohort:
    """Find and check every subject, divide the usable ones, write cohort.json and splits.json, print a summary.

    `fractions`: split -> share of the patients. `manifest`: a CSV file to go by instead of the files' names.
    `orientation`: subject -> axis codes of its stored arrays, in place of its headers. `fov_mm`: what a network sees of
    a scan (right, front, up), to warn where it does not hold the brain. `workers`: processes, -1 for one per core, None
    to take what `joblib.parallel_config` says. An earlier splits.json drawn with the same seed and fractions is kept
    and extended. `trained`: weights that, where they are there, were trained on the cohort that is there, which only an
    index of the same folder, or of where that was moved, may replace. Raises `CohortError` where nothing is usable, or
    with `strict` where anything is quarantined; cohort.json is written even then.
    """
    _check_options(fractions, seed, orientation, fov_mm, workers)
    for file, schema in ((cohort_file, SCHEMA), (splits_file, SPLITS_SCHEMA)):
        require_place(file, schema.partition("/")[0])
    if trained is not None and Path(trained).is_file():
        _refuse_another_folder(cohort_file, dataset_dir, trained)
    found = find_subjects(dataset_dir, manifest)
    if not manifest:
        say_unclaimed(dataset_dir, unclaimed_files(dataset_dir, found))
    codes = check_overrides(orientation or {}, [subject.subject for subject in found])
    arguments = [(subject, dataset_dir, codes.get(subject.subject), fov_mm) for subject in found]
    inspected: list[tuple[Inspection, dict[str, FileState]]] = list(
        in_parallel(_inspect, arguments, workers=workers, label="index", unit="subject", progress=progress)
    )
    cohort = _collect(Path(dataset_dir), inspected, codes, manifest)
    write_json_atomically(Path(cohort_file), cohort.to_dict())
    print(f"\n{dataset_dir}\n{summarise_cohort(cohort.subjects, cohort.quarantine, cohort.warnings)}")
    print(f"\n{cohort_file}: written, with every problem in full", flush=True)
    _raise_unusable(cohort, strict, cohort_file)
    splits = divide_cohort(cohort.subjects, splits_file, fractions=fractions, seed=seed)
    print(f"{splits_file}: written\n{summarise_splits(cohort.subjects, splits)}", flush=True)
    return cohort


def _refuse_another_folder(cohort_file: str | Path, dataset_dir: str | Path, trained: str | Path) -> None:
    """CohortError where `cohort_file` is of another folder than `dataset_dir`, and that one has not been moved."""
    try:
        before = load_cohort(cohort_file).dataset_dir
    except (ValueError, FileNotFoundError):
        return
    if before != Path(dataset_dir).resolve() and before.is_dir():
        raise CohortError(
            f"{cohort_file}: is the cohort of {before}, on which {trained} was trained; an index of {dataset_dir} "
            f"would replace it; choose another --output_dir, or, where both hold the same cohort, remove {cohort_file}"
        )


def load_cohort(cohort_file: str | Path, dataset_dir: str | Path | None = None) -> Cohort:
    """Read cohort.json; with `dataset_dir`, only if it was made from that folder."""
    cohort_file = Path(cohort_file)
    if not cohort_file.is_file():
        raise FileNotFoundError(f"{cohort_file}: no cohort; {REMEDY}")
    record = read_record(cohort_file, REMEDY, f"schema {SCHEMA!r}")
    try:
        cohort = Cohort.from_dict(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise CohortError(f"{cohort_file}: expected schema {SCHEMA!r}, found {found}; {REMEDY}") from error
    if dataset_dir is not None and Path(dataset_dir).resolve() != cohort.dataset_dir:
        raise CohortError(
            f"{cohort_file}: expected the cohort of {Path(dataset_dir).resolve()}, found that of {cohort.dataset_dir}; "
            "run `index` again for this folder, or choose another --output_dir"
        )
    return cohort


def load_or_index_cohort(
    dataset_dir: str | Path,
    cohort_file: str | Path,
    splits_file: str | Path,
    *,
    fractions: Mapping[str, float],
    seed: int,
    strict: bool = False,
    manifest: str | Path | None = None,
    orientation: Mapping[str, str] | None = None,
    fov_mm: Sequence[float] = FOV_MM,
    workers: int | None = -1,
    progress: bool = True,
) -> Cohort:
    """The indexed cohort, indexed first where cohort.json or splits.json is missing; arguments as for `index_cohort`.

    An earlier index with other options is an error, since a model may have been trained on its division.
    """
    _check_options(fractions, seed, orientation, fov_mm, workers)
    if not (Path(cohort_file).is_file() and Path(splits_file).is_file()):
        return index_cohort(
            dataset_dir,
            cohort_file,
            splits_file,
            fractions=fractions,
            seed=seed,
            strict=strict,
            manifest=manifest,
            orientation=orientation,
            fov_mm=fov_mm,
            workers=workers,
            progress=progress,
        )
    cohort = load_cohort(cohort_file, dataset_dir)
    record = read_splits_record(splits_file)
    before = {**cohort.options, "seed": record.seed, "fractions": record.fractions}
    now = {**_options(manifest, orientation or {}), "seed": seed, "fractions": check_fractions(fractions)}
    if changed := [f"{name} {before.get(name)!r}, now {now[name]!r}" for name in now if before.get(name) != now[name]]:
        raise CohortError(
            f"{cohort_file}: indexed with {'; '.join(changed)}; run `index` again to apply this, or choose another "
            "--output_dir to keep both"
        )
    _raise_unusable(cohort, strict, cohort_file)
    divided = {name for names in load_splits(splits_file).values() for name in names}
    if apart := sorted(divided ^ {subject.subject for subject in cohort.subjects}):
        raise CohortError(
            f"{splits_file}: expected the {len(cohort.subjects)} subjects of {cohort_file}, found {len(divided)}; they "
            f"differ in {listed(apart)}; an index was interrupted, run "
            "`index` again"
        )
    say_what_changed(cohort.subjects, cohort.quarantine, cohort_file, dataset_dir, manifest)
    refuse_replaced_files(cohort.subjects, cohort.files, cohort_file, dataset_dir)
    return cohort


def _check_options(
    fractions: Mapping[str, float],
    seed: int,
    orientation: Mapping[str, str] | None,
    fov_mm: Sequence[float],
    workers: int | None,
) -> None:
    """Raise for an option of another kind than is expected, before any scan is read."""
    check_fractions(fractions)
    if problem := not_whole("seed", seed):
        raise ValueError(problem)
    require_overrides(orientation or {})
    require_field_of_view(fov_mm)
    require_workers(workers)


def _inspect(
    found: FoundSubject, dataset_dir: str | Path, orientation: str | None, fov_mm: Sequence[float]
) -> tuple[Inspection, dict[str, FileState]]:
    """A subject's check, and the state of the files that it holds for."""
    inspection = inspect_subject(found, dataset_dir, orientation, fov_mm)
    return inspection, {} if inspection.subject is None else file_states(inspection.subject, dataset_dir)


def _collect(
    dataset_dir: Path,
    inspected: Sequence[tuple[Inspection, Mapping[str, FileState]]],
    codes: Mapping[str, str],
    manifest: str | Path | None,
) -> Cohort:
    """Put the subjects side by side: what only the comparison shows is added here."""
    inspections = [inspection for inspection, _ in inspected]
    files = {path: state for _, states in inspected for path, state in states.items()}
    subjects = [inspection.subject for inspection in inspections if inspection.subject is not None]
    quarantine = [Quarantined(one.name, one.problems) for one in inspections if one.subject is None]
    usable = [inspection for inspection in inspections if inspection.subject is not None]
    warnings = tuple(all_warnings(usable, codes))
    options = _options(manifest, codes)
    return Cohort(dataset_dir.resolve(), tuple(subjects), tuple(quarantine), warnings, options, files)


def _options(manifest: str | Path | None, orientation: Mapping[str, str]) -> dict[str, Any]:
    return {"manifest": str(manifest) if manifest else None, "orientation": dict(sorted(orientation.items()))}


def _raise_unusable(cohort: Cohort, strict: bool, cohort_file: str | Path) -> None:
    count = len(cohort.quarantine)
    if not cohort.subjects:
        raise CohortError(f"{cohort.dataset_dir}: none of {count} subjects is usable; see the reasons in {cohort_file}")
    if strict and count:
        names = listed([entry.subject for entry in cohort.quarantine])
        raise CohortError(
            f"{cohort.dataset_dir}: strict, and {count} subjects are quarantined ({names}); "
            f"repair or remove them (reasons in {cohort_file}), or leave strict out to go on without them"
        )
