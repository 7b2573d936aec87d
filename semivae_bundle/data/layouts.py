"""Finding subjects under a folder, in the layouts that people have.

BraTS up to 2021 (`ID_flair`, `_t1`, `_t1ce`, `_t2`, `_seg`), BraTS since 2023 (`ID-t1n`, `-t1c`, `-t2w`, `-t2f`,
`-seg`), Medical Segmentation Decathlon Task01 (`dataset.json`), or a CSV manifest named by the user. The first three
may lie mixed and nested in one folder.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from semivae_bundle.data.decathlon import find_decathlon, is_decathlon
from semivae_bundle.data.manifest import read_manifest
from semivae_bundle.data.problems import CohortError, Problem, ProblemCode
from semivae_bundle.data.subjects import FoundSubject, ImageRef, parse_name
from semivae_bundle.data.volumes import is_nifti, nifti_stem
from semivae_bundle.data.wording import listed

_KINDS = {"flair": "t2f", "t1": "t1n", "t1ce": "t1c", "t2": "t2w"}
_KINDS |= {"t1c": "t1c", "t1n": "t1n", "t2f": "t2f", "t2w": "t2w", "seg": "seg"}
_FILE_NAME = re.compile(rf"(?P<subject>.+)[_-](?P<kind>{'|'.join(_KINDS)})", re.IGNORECASE)
_LAYOUTS = (
    "BraTS <= 2021: ID_flair, ID_t1, ID_t1ce, ID_t2 [, ID_seg] (.nii or .nii.gz)",
    "BraTS >= 2023: ID-t1n, ID-t1c, ID-t2w, ID-t2f [, ID-seg] (.nii or .nii.gz)",
    "Medical Segmentation Decathlon Task01: dataset.json beside imagesTr, labelsTr, imagesTs",
    "a CSV manifest, given as --manifest FILE: subject,visit,date,t1c,t1n,t2f,t2w,seg",
)


def find_subjects(dataset_dir: str | Path, manifest: str | Path | None = None) -> list[FoundSubject]:
    """Everything under `dataset_dir` that looks like a subject, sorted by name, unchecked.

    With `manifest`, exactly the rows of that file. Raises `FileNotFoundError` where the folder is missing and
    `CohortError` where it holds no subject, with the layouts that are known.
    """
    if not str(dataset_dir or "").strip() or not Path(dataset_dir).is_dir():
        raise FileNotFoundError(
            f"dataset_dir: expected a folder of subjects, found no folder {str(dataset_dir)!r}; pass your own with "
            "--dataset_dir DIR, or make a phantom cohort with: python -m semivae_bundle phantom --output_dir DIR"
        )
    dataset_dir = Path(dataset_dir)
    found = read_manifest(dataset_dir, manifest) if manifest else _search(dataset_dir)
    if not found:
        raise CohortError(_nothing_found(dataset_dir, manifest))
    return _with_unique_names(found)


def walk_files(folder: Path, unreadable: Callable[[OSError], None]) -> Iterator[tuple[Path, list[str]]]:
    """Folders from `folder` down, and their visible files; sorted. Links are followed, each folder once.

    `unreadable` is given the error of each folder that cannot be listed.
    """
    seen = set()
    for name, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        place = Path(name).resolve()
        folders[:] = [] if place in seen else sorted(n for n in folders if not n.startswith(".") and n != "__MACOSX")
        if place not in seen:
            yield Path(name), sorted(file for file in files if not file.startswith("."))
        seen.add(place)


def _search(dataset_dir: Path) -> list[FoundSubject]:
    files: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    strangers: dict[str, list[str]] = {}
    decathlon = []
    closed: list[OSError] = []
    for folder, names in walk_files(dataset_dir, closed.append):
        if "dataset.json" in names and is_decathlon(folder / "dataset.json"):
            decathlon += find_decathlon(dataset_dir, folder / "dataset.json")
        relative = folder.relative_to(dataset_dir)
        unknown: list[str] = []
        owners: set[str] = set()
        for name in filter(is_nifti, names):
            match = _FILE_NAME.fullmatch(nifti_stem(name))
            if match is None:
                unknown.append((relative / name).as_posix())
                continue
            files[match["subject"]][_KINDS[match["kind"].lower()]].append((relative / name).as_posix())
            owners.add(match["subject"])
        for path in unknown:
            if owner := _owner_of(Path(path).name, owners):
                strangers.setdefault(owner, []).append(path)
    named = [_from_files(name, kinds, strangers.get(name, [])) for name, kinds in files.items()]
    return decathlon + named + [_closed_folder(dataset_dir, error) for error in closed]


def _closed_folder(dataset_dir: Path, error: OSError) -> FoundSubject:
    """A folder that cannot be listed, as a bad subject: a patient may lie in it, and must not vanish without a word."""
    folder = Path(error.filename).relative_to(dataset_dir)
    if folder == Path():
        raise CohortError(
            f"dataset_dir: expected a folder that you may read, found {dataset_dir}: {error.strerror}; grant yourself "
            "the right to read it and what it holds (chmod -R u+rX)"
        ) from error
    problem = Problem(
        ProblemCode.UNREADABLE_FOLDER,
        folder.as_posix(),
        folder.as_posix(),
        "a folder whose files can be listed",
        str(error.strerror),
        "grant yourself the right to read it and what it holds (chmod -R u+rX), or remove it",
    )
    return FoundSubject(folder.as_posix(), folder.as_posix(), "", problems=(problem,))


def _owner_of(name: str, owners: set[str]) -> str | None:
    """Whose an unknown file is: the only subject's of its folder, or that by whose name it begins."""
    if len(owners) == 1:
        return next(iter(owners))
    # The longest, as P1_2_mask is no file of P1 where there is a P1_2.
    return max((owner for owner in owners if name.startswith((f"{owner}_", f"{owner}-"))), key=len, default=None)


def unclaimed_files(dataset_dir: str | Path, found: Iterable[FoundSubject]) -> list[str]:
    """The NIfTI files below `dataset_dir` that are no image, mask or stranger of any subject of `found`."""
    claimed = {ref.path for one in found for refs in one.images.values() for ref in refs}
    claimed |= {path for one in found for path in (*one.segs, *one.strangers)}
    names = ((folder.relative_to(dataset_dir) / name).as_posix() for folder, name in _nifti_files(Path(dataset_dir)))
    return [name for name in names if name not in claimed]


def say_unclaimed(dataset_dir: str | Path, names: Sequence[str]) -> None:
    """A line on files that are left out because their names say nothing; none where there are none."""
    if names:
        print(
            f"{dataset_dir}: {len(names)} NIfTI files belong to no subject by their names and are left out: "
            f"{listed(names)}; name them as in docs/data.md, or list them in a manifest",
            flush=True,
        )


def _nifti_files(dataset_dir: Path) -> Iterator[tuple[Path, str]]:
    """Folder and name of each; what cannot be listed is a problem of the search for subjects."""
    for folder, files in walk_files(dataset_dir, lambda error: None):
        yield from ((folder, name) for name in files if is_nifti(name))


def _from_files(name: str, kinds: dict[str, list[str]], strangers: list[str]) -> FoundSubject:
    patient, visit = parse_name(name)
    images = {kind: tuple(map(ImageRef, paths)) for kind, paths in kinds.items() if kind != "seg"}
    segs = tuple(kinds.get("seg", ()))
    return FoundSubject(name, patient, visit, images=images, segs=segs, strangers=tuple(strangers))


def _with_unique_names(found: list[FoundSubject]) -> list[FoundSubject]:
    """Sorted by name, each name once; where two sources use one name, neither can be trusted to be the right one."""
    by_name: dict[str, list[FoundSubject]] = defaultdict(list)
    for subject in found:
        by_name[subject.subject].append(subject)
    unique = []
    for name, same in sorted(by_name.items()):
        if len(same) == 1:
            unique.append(same[0])
            continue
        places = [ref.path for subject in same for refs in subject.images.values() for ref in refs[:1]]
        problem = Problem(
            ProblemCode.DUPLICATE_NAME,
            name,
            "",
            "one subject of this name",
            f"{len(same)}, with files such as {', '.join(dict.fromkeys(places[:: max(1, len(places) // 3)]))}",
            "rename all but one of them, or give them different visits",
        )
        parts = [part for subject in same for part in subject.problems]
        unique.append(FoundSubject(name, same[0].patient, same[0].visit, problems=(problem, *parts)))
    return unique


def _nothing_found(dataset_dir: Path, manifest: str | Path | None) -> str:
    if manifest:
        return f"{manifest}: expected one row per scan, found none; add rows or leave the option manifest out"
    names = [name for _, name in _nifti_files(dataset_dir)]
    found = f"{len(names)} NIfTI files, such as {names[:4]}" if names else "no NIfTI file"
    layouts = "\n".join(f"  - {layout}" for layout in _LAYOUTS)
    return f"{dataset_dir}: expected subjects in one of these layouts, found {found}:\n{layouts}"
