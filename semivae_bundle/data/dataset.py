"""A dataset that preprocesses each subject once and keeps the result on disk."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from monai.data import Dataset
from numpy.typing import NDArray

from semivae_bundle.data.files import atomic_path, sha256_of_files
from semivae_bundle.data.parallel import made_where_missing
from semivae_bundle.data.problems import naming
from semivae_bundle.data.transforms import Preprocessing

PASSED_ON = ("subject", "features", "present")


class CachedSubjects(Dataset):
    """Items -> dict of tensors for one training step.

    `data`: items as made by `semivae_bundle.training.datalist`. `preprocessing` runs once per subject; its result
    lies under `cache_dir` as one .npz of half-precision arrays, named by the hash of the subject's files and of the
    transform's parameters, so runs with other grids never meet and an edited file is read anew. `augmentation` runs
    at every access. Returns image (4, ...), regions (3, ...), brain (1, ...) float32; features, present (F,);
    labelled (); index (), the subject's place in `data`; patient (), a number that its visits share (an item without
    `patient` is its own); subject.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        preprocessing: Preprocessing,
        cache_dir: str | Path,
        augmentation: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(data=data)
        self.preprocessing = preprocessing
        self.cache_dir = Path(cache_dir)
        self.augmentation = augmentation
        self.cache_files: dict[int, Path] = {}
        patients = [item.get("patient", item["subject"]) for item in data]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(patients))}
        self.patients = [numbers[name] for name in patients]

    def prepare(self, workers: int = -1, progress: bool = True) -> None:
        """Fill the cache in parallel, with a progress bar; what is there already is kept."""
        arguments = [(item, self.preprocessing, self.cache_dir) for item in self.data]
        files = made_where_missing(
            cache_file, cache_subject, arguments, workers=workers, label="preprocess", unit="subject", progress=progress
        )
        # Remembered here, before a loader's processes fork: each epoch's would otherwise hash every scan again.
        self.cache_files = dict(enumerate(files))

    def load(self, index: int) -> dict[str, Any]:
        """One subject before augmentation."""
        item = self.data[index]
        if index not in self.cache_files:
            self.cache_files[index] = cache_subject(item, self.preprocessing, self.cache_dir)
        stored = read_cached(self.cache_files[index])
        image = torch.from_numpy(stored["image"]).float()
        labelled = "regions" in stored
        regions = torch.from_numpy(stored["regions"]).float() if labelled else torch.zeros(3, *image.shape[1:])
        sample = {key: torch.as_tensor(item[key]) if key != "subject" else item[key] for key in PASSED_ON}
        sample |= {"image": image, "regions": regions, "labelled": torch.tensor(labelled), "index": torch.tensor(index)}
        sample["patient"] = torch.tensor(self.patients[index])
        sample["brain"] = (image != 0).any(dim=0, keepdim=True).float()
        return sample

    def _transform(self, index: int) -> dict[str, Any]:
        sample = self.load(index)
        # Not by its truth: that is a Compose's length, which MONAI finds by building it anew, all of it seeded again.
        return sample if self.augmentation is None else self.augmentation(sample)


class NamedScans(Dataset):
    """MONAI's Dataset of items with a `subject`, which an error on the way names."""

    def _transform(self, index: int) -> Any:
        with naming(self.data[index]["subject"]):
            return super()._transform(index)


def cache_key(item: Mapping[str, Any], preprocessing: Preprocessing) -> str:
    """Hash of the bytes of the subject's files, of how they are to be read, and of the transform's parameters."""
    images = item["image"] if isinstance(item["image"], (list, tuple)) else [item["image"]]
    files = [Path(path) for path in [*images, *([item["label"]] if item.get("label") is not None else [])]]
    label_map = {str(raw): mapped for raw, mapped in (item.get("label_map") or {}).items()}
    reading = {"channels": item.get("channels"), "orientation": item.get("orientation"), "label_map": label_map}
    text = json.dumps(
        {"content": sha256_of_files(files), **reading, "transform": preprocessing.parameters()},
        sort_keys=True,
        default=list,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def cache_file(item: Mapping[str, Any], preprocessing: Preprocessing, cache_dir: Path) -> Path:
    """Where the subject's result lies, or will."""
    return cache_dir / f"{item['subject']}-{cache_key(item, preprocessing)[:20]}.npz"


def read_cached(file: Path) -> dict[str, NDArray[np.float16]]:
    """The arrays of a cache file. ValueError that names one which is damaged, as by a full disk or a broken copy."""
    try:
        # NumPy leaves a damaged file open that it has opened itself.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {"image": stored["image"], **{name: stored[name] for name in stored.files}}
    # The path is there for a file that is not, or that nobody may read.
    except (BadZipFile, EOFError, KeyError, ValueError, zlib.error) as error:
        raise ValueError(
            f"{file}: expected a preprocessed scan, found {type(error).__name__}: {error}; delete the file, and the "
            "same command makes it anew"
        ) from error


def cache_subject(item: Mapping[str, Any], preprocessing: Preprocessing, cache_dir: Path) -> Path:
    """Preprocess one subject unless its result is there; returns the file."""
    file = cache_file(item, preprocessing, cache_dir)
    if not file.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with naming(item["subject"]):
            arrays = {name: value.numpy().astype(np.float16) for name, value in preprocessing(item).items()}
            # Here, since a training would only say that its loss is not finite, and a scan may change after the index.
            if bad := [name for name, values in arrays.items() if not np.isfinite(values).all()]:
                raise ValueError(f"expected finite numbers, found NaN or infinity in the {bad[0]}")
        with atomic_path(file) as part, part.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
    return file
