"""What is no longer as it was indexed: said where it does no harm, refused where unchecked scans would be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from semivae_bundle.data.file_states import FileState, replaced_files
from semivae_bundle.data.layouts import find_subjects
from semivae_bundle.data.problems import CohortError, Quarantined
from semivae_bundle.data.subjects import FoundSubject, Subject
from semivae_bundle.data.wording import listed


def say_what_changed(
    subjects: Sequence[Subject],
    quarantine: Sequence[Quarantined],
    cohort_file: str | Path,
    dataset_dir: str | Path,
    manifest: str | Path | None,
) -> None:
    """A line for each way in which the folder is no longer what was indexed, by names alone."""
    try:
        found = {one.subject: one for one in find_subjects(dataset_dir, manifest)}
    except (CohortError, FileNotFoundError):
        return  # what was moved away since may still lie in the cache
    quarantined = [entry.subject for entry in quarantine if entry.subject in found]
    newcomers = sorted(set(found) - {one.subject for one in subjects} - set(quarantined))
    changed = [one.subject for one in subjects if one.subject in found and _differs(one, found[one.subject])]
    for names, words in (
        (newcomers, "came later and are left out"),
        (changed, "have other files, another mask, date, patient or visit now, and are used as they were indexed"),
        (quarantined, "are set aside"),
    ):
        if names:
            print(
                f"{dataset_dir}: {len(names)} subjects {words}: {listed(names)}; {cohort_file} has reasons and "
                "files, and `index` looks again",
                flush=True,
            )


def refuse_replaced_files(
    subjects: Sequence[Subject], states: Mapping[str, FileState], cohort_file: str | Path, dataset_dir: str | Path
) -> None:
    """CohortError where a file has other content than the one that was checked under its name."""
    replaced = replaced_files(dataset_dir, states)
    if not replaced:
        return
    owners = [one.subject for one in subjects if not set(replaced).isdisjoint(one.paths)]
    raise CohortError(
        f"{dataset_dir}: expected the files that {cohort_file} was made from, found other content in "
        f"{len(replaced)} files of {len(owners)} subjects ({listed(owners)}), such as {replaced[0]}; put the old ones "
        "back, or run `index` again to check the new ones"
    )


def _differs(indexed: Subject, found: FoundSubject) -> bool:
    """Whether the folder or the manifest says something else of a subject than the index does."""
    images = {modality: refs[0] for modality, refs in found.images.items() if refs}
    seg = found.segs[0] if found.segs else None
    now = (images, seg, found.patient, found.visit, found.date)
    return now != (dict(indexed.images), indexed.seg, indexed.patient, indexed.visit, indexed.date)
