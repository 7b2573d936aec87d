"""The scans of an inference run, each checked before the network sees it; what is wrong is said and left out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from semivae_bundle.data.checks import Inspection, all_warnings, inspect_subject
from semivae_bundle.data.files import sha256_of_files
from semivae_bundle.data.grids import FOV_MM, require_field_of_view
from semivae_bundle.data.modality_subsets import absent, subset_name
from semivae_bundle.data.orientation import check_overrides
from semivae_bundle.data.parallel import require_workers
from semivae_bundle.data.problems import CohortError, Problem, ProblemCode, Quarantined
from semivae_bundle.data.subjects import FoundSubject, Subject
from semivae_bundle.evaluation.inference_sources import Listed, channel_problems, find_sources


@dataclass(frozen=True)
class Scan:
    """One usable scan. `files`: a path per modality, or one of a 4-D file.

    `source` says what the result depends on: the hash of the files' bytes and how they are read.
    """

    subject: Subject
    dataset_dir: Path
    source: Mapping[str, Any]

    @property
    def files(self) -> tuple[Path, ...]:
        """The image files, each once."""
        image = self.item()["image"]
        return tuple(map(Path, [image] if isinstance(image, str) else image))

    @property
    def modalities(self) -> str:
        """Such as "t1c+t2f"."""
        return subset_name(self.subject.images)

    @property
    def lacks(self) -> tuple[str, ...]:
        """The modalities that are not there."""
        return absent(self.subject.images)

    def item(self) -> dict[str, Any]:
        """What the pre-processing takes."""
        return self.subject.image_item(self.dataset_dir)


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
    fov_mm: Sequence[float] = FOV_MM,
    workers: int | None = -1,
    progress: bool = True,
    allow_missing: bool = False,
) -> FoundScans:
    """Find and check the scans, print every problem. `images` and `manifest` as for `find_sources`.

    `orientation`: subject -> axis codes of its stored arrays, in place of its headers. `fov_mm`: what the network sees
    of a scan. `workers`: threads, -1 for one per core. `allow_missing`: take scans that lack modalities, and warn of
    each. Raises `CohortError` where no scan is usable.
    """
    require_workers(workers)
    require_field_of_view(fov_mm)
    found = find_sources(dataset_dir, images, manifest)
    codes = check_overrides(orientation or {}, [subject.subject for subject in found])
    jobs = Parallel(n_jobs=workers, prefer="threads", return_as="generator")(
        delayed(_inspect)(subject, Path(dataset_dir), codes.get(subject.subject), fov_mm, allow_missing)
        for subject in found
    )
    bar = tqdm(jobs, total=len(found), desc="check", unit="scan", file=sys.stdout, disable=not progress)
    outcomes: list[tuple[Inspection, Scan | None]] = list(bar)
    usable = [inspection for inspection, scan in outcomes if scan is not None]
    warnings = all_warnings(usable, codes)
    skipped = [Quarantined(one.name, one.problems) for one, scan in outcomes if scan is None]
    result = FoundScans(tuple(scan for _, scan in outcomes if scan is not None), tuple(skipped), tuple(warnings))
    _report(result, dataset_dir)
    return result


def _inspect(
    found: FoundSubject, dataset_dir: Path, orientation: str | None, fov_mm: Sequence[float], allow_missing: bool
) -> tuple[Inspection, Scan | None]:
    found = replace(found, problems=(*found.problems, *channel_problems(found, dataset_dir)))
    inspection = inspect_subject(found, dataset_dir, orientation, fov_mm, allow_missing=allow_missing)
    return inspection, None if inspection.subject is None else make_scan(inspection.subject, dataset_dir)


def make_scan(subject: Subject, dataset_dir: Path) -> Scan:
    """Hash the subject's files, and note how they are read."""
    scan = Scan(subject, dataset_dir, {})
    source = {
        "sha256": sha256_of_files(scan.files),
        "channels": scan.item().get("channels"),
        "orientation": subject.orientation,
    }
    if scan.lacks:
        source["modalities"] = scan.modalities
    return replace(scan, source=source)


def _report(found: FoundScans, dataset_dir: str | Path) -> None:
    for entry in found.skipped:
        print("\n".join(f"skipped  {problem}" for problem in entry.problems if not problem.is_warning))
    for problem in found.warnings:
        print(f"warning  {problem}")
    if any(problem.code is ProblemCode.MISSING_MODALITY for entry in found.skipped for problem in entry.problems):
        print("scans that lack modalities can be used with --allow_missing true; see docs/missing_modalities.md")
    print(f"inference: {len(found.scans)} usable scans, {len(found.skipped)} skipped", flush=True)
    if not found.scans:
        raise CohortError(
            f"{dataset_dir}: none of {len(found.skipped)} scans is usable; the reasons stand above, one line each"
        )
