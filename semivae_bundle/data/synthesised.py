"""Training scans whose image is made anew at every access, from the tissue of a phantom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import Randomizable
from monai.utils import MAX_SEED

from semivae_bundle.data.dataset import CachedSubjects
from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.data.one_modality import OneModality
from semivae_bundle.data.parallel import made_where_missing
from semivae_bundle.data.phantom.rescan import rescan
from semivae_bundle.data.phantom.tissue_map import lies_on, load_tissue_map, resampled, save_tissue_map, tissue_file
from semivae_bundle.data.phantom.variety import Variety
from semivae_bundle.data.transforms import Preprocessing


class SynthesisedSubjects(CachedSubjects, Randomizable):
    """CachedSubjects with other contrasts at every access: image and brain are new, the rest is as cached.

    `variety`: what the scans may look like. The tissue lies beside the images; on another grid than the model's it is
    resampled once into the cache. An unlabelled subject without tissue keeps its image, as a real scan among phantoms
    does; a labelled one raises FileNotFoundError. `set_random_state` seeds the augmentation too: the training's seed
    handler takes the dataset in place of the augmentation.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        preprocessing: Preprocessing,
        cache_dir: str | Path,
        variety: Variety,
        augmentation: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        if isinstance(preprocessing, OneModality):
            raise ValueError(
                f"synthesised contrasts: expected preprocessing of all four modalities, found that of "
                f"{preprocessing.modality} alone; leave out the recipe synthesised_contrast or single_modality"
            )
        super().__init__(data, preprocessing, cache_dir, augmentation)
        self.variety = variety
        self.tissue_files = find_tissue_files(data)
        self.gridded: dict[int, Path] = {}

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> SynthesisedSubjects:
        """Seed the contrasts, and the augmentation from them."""
        super().set_random_state(seed=seed, state=state)
        if isinstance(self.augmentation, Randomizable):
            self.augmentation.set_random_state(seed=int(self.R.randint(MAX_SEED, dtype="uint32")))
        return self

    def prepare(self, workers: int = -1, progress: bool = True) -> None:
        """Fill the cache with scans and, where their grid is not the model's, with tissue."""
        super().prepare(workers, progress)
        arguments = [(path, self.preprocessing, self.cache_dir) for path in self.tissue_files.values()]
        files = made_where_missing(
            grid_file, on_model_grid, arguments, workers=workers, label="tissue", unit="subject", progress=progress
        )
        self.gridded = dict(zip(self.tissue_files, files, strict=True))

    def load(self, index: int) -> dict[str, Any]:
        """One subject before augmentation."""
        sample = super().load(index)
        if index not in self.tissue_files:
            return sample
        if index not in self.gridded:
            self.gridded[index] = on_model_grid(self.tissue_files[index], self.preprocessing, self.cache_dir)
        rng = np.random.default_rng(int(self.R.randint(MAX_SEED, dtype="uint32")))
        image = rescan(rng, load_tissue_map(self.gridded[index]), self.variety)
        return {**sample, "image": image, "brain": (image != 0).any(dim=0, keepdim=True).float()}


def find_tissue_files(data: Sequence[Mapping[str, Any]]) -> dict[int, Path]:
    """Place in `data` -> tissue file, for the subjects that have one; every labelled one must."""
    found = {}
    for index, item in enumerate(data):
        first = item["image"][0] if isinstance(item["image"], (list, tuple)) else item["image"]
        path = tissue_file(Path(first).parent, item["subject"])
        if path.is_file():
            found[index] = path
        elif item.get("label") is not None:
            raise FileNotFoundError(
                f"{item['subject']}: no tissue file, which every labelled training subject needs for synthesised "
                f"contrasts; expected {path}; add it to a phantom cohort by running the command that made the cohort "
                "once more with --tissues: python -m semivae_bundle phantom --output_dir DIR ... --tissues true; or "
                "train without the recipe synthesised_contrast"
            )
    return found


def grid_file(path: Path, preprocessing: Preprocessing, cache_dir: Path) -> Path:
    """The file of a tissue map on the model's grid: the subject's own where that fits, else one in the cache."""
    # Asked of every scan at every start, so the tissue itself stays on the disk.
    if lies_on(path, preprocessing.roi_size, preprocessing.fov_mm):
        return path
    grid = "x".join(f"{side}at{mm:g}" for side, mm in zip(preprocessing.roi_size, preprocessing.fov_mm, strict=True))
    return cache_dir / f"{path.stem}-{grid}-{sha256_of_file(path)[:20]}.npz"


def on_model_grid(path: Path, preprocessing: Preprocessing, cache_dir: Path) -> Path:
    """Resample a tissue map to the model's grid unless that is there; returns its `grid_file`."""
    file = grid_file(path, preprocessing, cache_dir)
    if not file.exists():
        save_tissue_map(file, resampled(load_tissue_map(path), preprocessing.roi_size, preprocessing.fov_mm))
    return file
