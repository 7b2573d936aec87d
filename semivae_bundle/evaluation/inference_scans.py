"""The scans of an inference run, each checked before the network sees it; what is wrong is said and left out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from semivae_bundle.data.checks import Inspection, inspect_subject
from semivae_bundle.data.files import sha256_of_files
from semivae_bundle.data.orientation import ambiguous_orientations, check_overrides
from semivae_bundle.data.problems import CohortError, Problem, Quarantined
from semivae_bundle.data.subjects import MODALITIES, FoundSubject, Subject
from semivae_bundle.evaluation.inference_sources import Listed, channel_problems, find_sources


@dataclass(frozen=True)
class Scan:
    """One usable scan. `files`: four paths, or one of a 4-D file whose `channels` are t1c, t1n, t2f, t2w.

    `source` says what the result depends on: the hash of the files' bytes and how they are read.
    """

    subject: Subject
    files: tuple[Path, ...]
    channels: tuple[int, ...] | None
    source: Mapping[str, Any]

    def item(self) -> dict[str, Any]:
        """What the pre-processing takes."""
        paths = [str(path) for path in self.files]
        item: dict[str, Any] = {"subject": self.subject.subject, "image": paths if self.channels is None else paths[0]}
        if self.channels is not None:
            item["channels"] = list(self.channels)
        if self.subject.orientation is not None:
            item["orientation"] = self.subject.orientation
        return item


@dataclass(frozen=True)
class FoundScans:
    """The outcome of a search: `scans` sorted by name, `skipped` with reasons, `warnings` about usable ones."""

    scans: tuple[Scan, ...]
    skipped: tuple[Quarantined, ...] = ()
    warnings: tuple[Problem, ...] = ()


def find_scans(
    dataset_dir: str | Path,
    images: Sequence[Listed] | Mapping[str, Listed] | None = None,
    manifest: str | Path | None = None,
    orientation: Mapping[str, str] | None = None,
    workers: int | None = -1,
    progress: bool = True,
) -> FoundScans:
    """Find and check the scans, print every problem. `images` and `manifest` as for `find_sources`.

    `orientation`: subject -> axis codes of its stored arrays, in place of its headers. `workers`: threads, -1 for one
    per core. Raises `CohortError` where no scan is usable.
    """
    found = find_sources(dataset_dir, images, manifest)
    codes = check_overrides(orientation or {}, [subject.subject for subject in found])
    jobs = Parallel(n_jobs=workers, prefer="threads", return_as="generator")(
        delayed(_inspect)(subject, Path(dataset_dir), codes.get(subject.subject)) for subject in found
    )
    bar = tqdm(jobs, total=len(found), desc="check", unit="scan", file=sys.stdout, disable=not progress)
    outcomes: list[tuple[Inspection, Scan | None]] = list(bar)
    usable = [inspection for inspection, scan in outcomes if scan is not None]
    warnings = [problem for inspection in usable for problem in inspection.problems]
    warnings += ambiguous_orientations([one.geometry for one in usable if one.geometry is not None], codes)
    skipped = [Quarantined(one.name, one.problems) for one, scan in outcomes if scan is None]
    result = FoundScans(tuple(scan for _, scan in outcomes if scan is not None), tuple(skipped), tuple(warnings))
    _report(result, dataset_dir)
    return result


def _inspect(found: FoundSubject, dataset_dir: Path, orientation: str | None) -> tuple[Inspection, Scan | None]:
    found = replace(found, problems=(*found.problems, *channel_problems(found, dataset_dir)))
    inspection = inspect_subject(found, dataset_dir, orientation)
    return inspection, None if inspection.subject is None else make_scan(inspection.subject, dataset_dir)


def make_scan(subject: Subject, dataset_dir: Path) -> Scan:
    """Name the subject's files and hash them."""
    refs = [subject.images[modality] for modality in MODALITIES]
    files, channels = tuple(dataset_dir / ref.path for ref in refs), None
    if refs[0].channel is not None:
        files, channels = files[:1], tuple(int(ref.channel or 0) for ref in refs)
    source = {
        "sha256": sha256_of_files(files),
        "channels": None if channels is None else list(channels),
        "orientation": subject.orientation,
    }
    return Scan(subject, files, channels, source)


def _report(found: FoundScans, dataset_dir: str | Path) -> None:
    for entry in found.skipped:
        print("\n".join(f"skipped  {problem}" for problem in entry.problems if not problem.is_warning))
    for problem in found.warnings:
        print(f"warning  {problem}")
    print(f"inference: {len(found.scans)} usable scans, {len(found.skipped)} skipped", flush=True)
    if not found.scans:
        raise CohortError(
            f"{dataset_dir}: none of {len(found.skipped)} scans is usable; the reasons stand above, one line each"
        )
