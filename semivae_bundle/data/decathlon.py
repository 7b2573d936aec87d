"""Medical Segmentation Decathlon, Task01 (brain tumours): four modalities in one 4-D file, listed in dataset.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semivae_bundle.data.problems import Problem, ProblemCode
from semivae_bundle.data.subjects import FoundSubject, ImageRef, parse_name
from semivae_bundle.data.volumes import nifti_stem

_MODALITIES = {"flair": "t2f", "t2f": "t2f", "t1": "t1n", "t1w": "t1n", "t1n": "t1n", "t1gd": "t1c", "t1ce": "t1c"}
_MODALITIES |= {"t1c": "t1c", "t2": "t2w", "t2w": "t2w"}
# In this order: "non-enhancing" holds "enhancing".
_LABELS = {"background": 0, "nonenhancing": 1, "necro": 1, "edema": 2, "enhancing": 3}


def is_decathlon(path: Path) -> bool:
    """Whether a dataset.json is a Decathlon one; other tools use the name too. A broken file counts, to be reported."""
    content = _load(path)
    return content is None or ("modality" in content and ("training" in content or "test" in content))


def find_decathlon(dataset_dir: Path, path: Path) -> list[FoundSubject]:
    """The subjects that `path` lists; those under "test" have no mask. An unusable file gives one bad subject."""
    name = path.relative_to(dataset_dir).as_posix()
    content = _load(path)
    try:
        if content is None:
            raise ValueError("text that does not parse")
        return _listed(path.parent.relative_to(dataset_dir), name, content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        return [_unusable(name, "valid JSON with modality, labels, training and test as published", found)]


def _listed(folder: Path, name: str, content: Mapping[str, Any]) -> list[FoundSubject]:
    channels = {_MODALITIES.get(_plain(text)): int(index) for index, text in content["modality"].items()}
    if None in channels or len(channels) != len(content["modality"]):
        return [_unusable(name, 'one each of FLAIR, T1w, T1gd, T2w under "modality"', str(content["modality"]))]
    labels = {int(raw): _label(text) for raw, text in content.get("labels", {}).items()}
    if content.get("training") and (None in labels.values() or not labels):
        return [_unusable(name, 'edema, non-enhancing and enhancing tumour under "labels"', str(labels))]
    label_map = {raw: label for raw, label in labels.items() if label is not None}
    entries = [(entry["image"], entry["label"]) for entry in content.get("training", [])]
    entries += [(entry["image"] if isinstance(entry, dict) else entry, None) for entry in content.get("test", [])]
    return [_subject(folder, image, mask, channels, label_map) for image, mask in entries]


def _subject(
    folder: Path, image: str, mask: str | None, channels: Mapping[str | None, int], label_map: Mapping[int, int]
) -> FoundSubject:
    name = nifti_stem(Path(image).name)
    images = {str(modality): (ImageRef((folder / image).as_posix(), index),) for modality, index in channels.items()}
    segs = () if mask is None else ((folder / mask).as_posix(),)
    return FoundSubject(name, *parse_name(name), images=images, segs=segs, label_map=label_map or None)


def _unusable(name: str, expected: str, found: str) -> FoundSubject:
    problem = Problem(
        ProblemCode.INVALID_DATASET_JSON, name, name, expected, found, "restore the file as published, or remove it"
    )
    return FoundSubject(name, name, "", problems=(problem,))


def _load(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _label(text: str) -> int | None:
    return next((label for part, label in _LABELS.items() if part in _plain(text)), None)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(text).lower())
