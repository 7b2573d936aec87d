"""Records of one scan of one patient: its files, and what is known without opening them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semivae_bundle.data.problems import Problem

MODALITIES = ("t1c", "t1n", "t2f", "t2w")
FIRST_VISIT = "000"
# BraTS-GLI-00123-001, BraTS-MEN-RT-0123-1. Other names that end in digits (BrainLesion-case-000) number cases.
_PATIENT_AND_VISIT = re.compile(r"(?P<patient>BraTS(?:-[A-Za-z]+)+-\d{4,})-(?P<visit>\d{1,3})")


def parse_name(name: str) -> tuple[str, str]:
    """Patient and visit of a subject's name.

    "BraTS-GLI-00123-001" -> ("BraTS-GLI-00123", "001"): the prefix stays, as collections number their patients alike.
    A name without a visit is its own patient, at visit "000".
    """
    match = _PATIENT_AND_VISIT.fullmatch(name)
    return (match["patient"], match["visit"]) if match else (name, FIRST_VISIT)


@dataclass(frozen=True)
class ImageRef:
    """One image: a file relative to the dataset folder (posix), and the channel for a 4-D file."""

    path: str
    channel: int | None = None


@dataclass(frozen=True)
class Subject:
    """One checked scan, ready for use.

    `images` has all four MODALITIES, or some of them where the user allowed that. `seg` is the mask's path, None where
    unlabelled. `label_map` takes every label that the mask may hold to the project's (0 background, 1 NCR, 2 ED, 3 ET).
    `orientation` is None, or the axis codes of the stored arrays (e.g. "LPS") where the user overrides the headers.
    """

    subject: str
    patient: str
    visit: str
    date: str | None
    images: Mapping[str, ImageRef]
    seg: str | None
    label_map: Mapping[int, int]
    orientation: str | None = None

    @property
    def paths(self) -> list[str]:
        """Its files, images before the mask, each once."""
        return list(dict.fromkeys([*(ref.path for ref in self.images.values()), *([self.seg] if self.seg else [])]))

    def image_item(self, dataset_dir: Path) -> dict[str, Any]:
        """What the pre-processing takes: subject; image, four paths or one of a 4-D file whose `channels` are the
        MODALITIES in order; `modalities`, the names of these channels, where some are absent; orientation where
        overridden.
        """
        there = [modality for modality in MODALITIES if modality in self.images]
        refs = [self.images[modality] for modality in there]
        paths = [str(dataset_dir / ref.path) for ref in refs]
        item: dict[str, Any] = {"subject": self.subject, "image": paths}
        if refs[0].channel is not None:
            item |= {"image": paths[0], "channels": [int(ref.channel or 0) for ref in refs]}
        if len(there) < len(MODALITIES):
            item["modalities"] = there
        if self.orientation is not None:
            item["orientation"] = self.orientation
        return item

    def item(self, dataset_dir: Path) -> dict[str, Any]:
        """`image_item` together with the mask's path as label and its label_map, where there is a mask."""
        item = self.image_item(dataset_dir)
        if self.seg is not None:
            item |= {"label": str(dataset_dir / self.seg), "label_map": dict(self.label_map)}
        return item

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "subject": self.subject,
            "patient": self.patient,
            "visit": self.visit,
            "date": self.date,
            "images": {name: {"path": ref.path, "channel": ref.channel} for name, ref in self.images.items()},
            "seg": self.seg,
            "label_map": {str(raw): label for raw, label in self.label_map.items()},
            "orientation": self.orientation,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Subject:
        """Inverse of `to_dict`."""
        images = {name: ImageRef(**ref) for name, ref in record["images"].items()}
        label_map = {int(raw): int(label) for raw, label in record["label_map"].items()}
        return cls(**{**record, "images": images, "label_map": label_map})


@dataclass(frozen=True)
class FoundSubject:
    """What a search found under one name, unchecked: any number of files per modality.

    `label_map` is None where the mask follows a BraTS convention, which only its labels tell. `strangers` are NIfTI
    files in the subject's own folder whose names mean nothing here. `problems` are those that the search itself met.
    """

    subject: str
    patient: str
    visit: str
    date: str | None = None
    images: Mapping[str, tuple[ImageRef, ...]] = field(default_factory=dict)
    segs: tuple[str, ...] = ()
    label_map: Mapping[int, int] | None = None
    strangers: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
