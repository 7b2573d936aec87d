"""Which scans to infer on: any layout that `index` knows, a folder of 4-D files, or a list. Masks play no part."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import nibabel
from nibabel.filebasedimages import ImageFileError

from semivae_bundle.data.decathlon import is_decathlon
from semivae_bundle.data.layouts import find_subjects, say_unclaimed, unclaimed_files
from semivae_bundle.data.problems import CohortError, Problem, ProblemCode
from semivae_bundle.data.subjects import MODALITIES, FoundSubject, ImageRef, parse_name
from semivae_bundle.data.volumes import is_nifti, nifti_stem

ORDER = ", ".join(MODALITIES)
FOUR_D_LAYOUT = f"one 4-D file per scan, directly in the folder, its last axis {ORDER} in this order"

Listed = str | Sequence[str | None]


def find_sources(
    dataset_dir: str | Path,
    images: Sequence[Listed] | Mapping[str, Listed] | None = None,
    manifest: str | Path | None = None,
) -> list[FoundSubject]:
    """Scans to infer on, sorted by name, unchecked, without their masks.

    `images` overrules the search: a list of 4-D files or of lists of four files (t1c, t1n, t2f, t2w; None for one that
    is absent), or a mapping from the subject's name to either; paths are absolute or relative to `dataset_dir`.
    `manifest` as for `find_subjects`.
    """
    if images:
        return _listed(images)
    if manifest:
        return [_without_mask(found) for found in find_subjects(dataset_dir, manifest)]
    try:
        subjects = find_subjects(dataset_dir)
    except CohortError as error:
        found = four_dimensional_files(Path(dataset_dir), taken=set())
        if not found:
            raise CohortError(f"{error}\n  - {FOUR_D_LAYOUT}") from error
        return found
    taken = {ref.path for subject in subjects for refs in subject.images.values() for ref in refs}
    others = four_dimensional_files(Path(dataset_dir), taken)
    say_unclaimed(dataset_dir, unclaimed_files(dataset_dir, [*subjects, *others]))
    return sorted([*map(_without_mask, subjects), *others], key=lambda one: one.subject)


def four_dimensional_files(folder: Path, taken: set[str]) -> list[FoundSubject]:
    """The 4-D NIfTI files directly in `folder` that no layout has claimed.

    Raises `CohortError` inside a Decathlon folder: its files hold the modalities in another order.
    """
    names = [path.name for path in sorted(folder.iterdir()) if is_nifti(path.name) and path.name not in taken]
    names = [name for name in names if len(_shape(folder / name)) == 4]
    description = folder.resolve().parent / "dataset.json"
    if names and description.is_file() and is_decathlon(description):
        raise CohortError(
            f"{folder}: belongs to {description}, where the channels come in another order than {ORDER}; pass "
            f"--dataset_dir {description.parent}, whose dataset.json says which is which"
        )
    return _with_unique_names([_four_d(nifti_stem(name), name) for name in names])


def _listed(images: Sequence[Listed] | Mapping[str, Listed]) -> list[FoundSubject]:
    if isinstance(images, str):
        raise ValueError(f"images: expected a list of files, found the text {images!r}; write ['{images}']")
    pairs = list(images.items()) if isinstance(images, Mapping) else [(_name(entry), entry) for entry in images]
    found = []
    for name, entry in pairs:
        if not name or name.startswith(".") or "/" in name or "\\" in name:
            raise ValueError(
                f"images: no usable subject name for {entry!r} (found {name!r}); give one as a mapping, such as "
                "{'patient-1': [t1c, t1n, t2f, t2w]}"
            )
        if isinstance(entry, str):
            found.append(_four_d(name, entry))
        elif len(entry) == len(MODALITIES):
            refs = {modality: (ImageRef(path),) for modality, path in zip(MODALITIES, entry, strict=True) if path}
            found.append(FoundSubject(name, *parse_name(name), images=refs))
        else:
            raise ValueError(f"images: {name}: expected one 4-D file or four files ({ORDER}), found {list(entry)}")
    return _with_unique_names(sorted(found, key=lambda one: one.subject))


def _name(entry: Listed) -> str:
    """The file's name, or what the names of four files share: ID-t1c, ID-t1n, ... give ID."""
    if isinstance(entry, str):
        return nifti_stem(Path(entry).name)
    letters = zip(*(nifti_stem(Path(path).name) for path in entry if path), strict=False)
    shared = itertools.takewhile(lambda column: len(set(column)) == 1, letters)
    # Fewer files share more: ID-t1c and ID-t1n have ID-t1 in common, and one alone has all of its name.
    return re.sub(
        r"[-_.]+(flair|t1ce|t[12]?[cnfw]?)?$", "", "".join(column[0] for column in shared), flags=re.IGNORECASE
    )


def _four_d(name: str, path: str) -> FoundSubject:
    images = {modality: (ImageRef(path, channel),) for channel, modality in enumerate(MODALITIES)}
    return FoundSubject(name, *parse_name(name), images=images)


def channel_problems(found: FoundSubject, dataset_dir: str | Path) -> list[Problem]:
    """A 4-D file of more channels than it has modalities: which four are meant, nobody said."""
    ref = found.images[MODALITIES[0]][0] if found.images.get(MODALITIES[0]) else None
    shape = _shape(Path(dataset_dir) / ref.path) if ref is not None and ref.channel is not None else ()
    if ref is None or len(shape) != 4 or shape[3] <= len(MODALITIES):
        return []
    expected, remedy = f"a 4-D file with a last axis of 4 ({ORDER})", "keep the four and write them in this order"
    return [Problem(ProblemCode.WRONG_DIMENSIONS, found.subject, ref.path, expected, f"shape {shape}", remedy)]


def _shape(path: Path) -> tuple[int, ...]:
    """Shape by the header alone; () where that cannot be read, which the check of the voxels will report."""
    try:
        return tuple(int(side) for side in nibabel.load(path).shape)
    except (OSError, EOFError, ValueError, ImageFileError):
        return ()


def _without_mask(found: FoundSubject) -> FoundSubject:
    return replace(found, segs=(), label_map=None, strangers=())


def _with_unique_names(found: list[FoundSubject]) -> list[FoundSubject]:
    names = [subject.subject for subject in found]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise CohortError(
            f"images: expected one scan per name, found several of {', '.join(repeated)}; rename their files, or give "
            "names with --images {'name': file}"
        )
    return found
