"""How long a scan takes from its files to the network: preprocessing once, loading at every step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.timing import WARM_UP, peak_memory_gib, seconds
from monai.bundle import ConfigParser
from monai.data import DataLoader
from monai.transforms import (
    Compose,
    CropForegroundd,
    EnsureChannelFirstd,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    ResizeWithPadOrCropd,
    Spacingd,
)
from torch import device

from semivae_bundle.data.cohort import index_cohort
from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.data.transforms import Preprocessing

ROOT = Path(__file__).resolve().parents[2]
FOV_MM = (240.0, 240.0, 240.0)
FRACTIONS = {"train": 0.5, "validation": 0.25, "test": 0.25}


def preprocess(dataset_dir: str | None = None, roi: int = 128, subjects: int = 3, repeats: int = 3) -> None:
    """Files -> (4, roi, roi, roi) and regions, on one core, beside a plain MONAI chain on the same files.

    Takes the first `subjects` of `dataset_dir`, or makes phantoms of 240³ voxels of 1 mm.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(dataset_dir) if dataset_dir else Path(folder) / "phantoms"
        if dataset_dir is None:
            generate_phantoms(place, subjects, size=240, spacing=1.0)
        cohort = index_cohort(
            place,
            Path(folder) / "cohort.json",
            Path(folder) / "splits.json",
            fractions=FRACTIONS,
            seed=0,
            progress=False,
        )
        items = [subject.item(cohort.dataset_dir) for subject in cohort.subjects[:subjects]]
        ours: Callable[[Mapping[str, Any]], Any] = Preprocessing((roi,) * 3, FOV_MM)
        chains = {"this bundle": ours, "plain MONAI chain": plain_chain(roi)}
        times = {
            name: [seconds(partial(chain, dict(item))) for item in items for _ in range(repeats)]
            for name, chain in chains.items()
        }
    for name, values in times.items():
        print(f"{name:<20}{min(values):>8.3f} least {np.median(values):>8.3f} median {max(values):>8.3f} most, s")
    ratio = np.median(times["this bundle"]) / np.median(times["plain MONAI chain"])
    print(f"ratio of the medians {ratio:.2f}; peak memory {peak_memory_gib(device('cpu')):.2f} GiB")


def plain_chain(roi: int) -> Compose:
    """What one would write with MONAI's transforms: the same grid and intensities, with interpolated labels."""
    spacing, keys = [side / roi for side in FOV_MM], ["image", "label"]
    return Compose(
        [
            LoadImaged(keys, image_only=True, allow_missing_keys=True),
            EnsureChannelFirstd(keys, allow_missing_keys=True),
            Orientationd(keys, "RAS", allow_missing_keys=True, labels=(("L", "R"), ("P", "A"), ("I", "S"))),
            CropForegroundd(keys, source_key="image", allow_missing_keys=True, allow_smaller=True),
            Spacingd(keys, spacing, mode=("bilinear", "nearest"), allow_missing_keys=True),
            ResizeWithPadOrCropd(keys, (roi,) * 3, allow_missing_keys=True),
            NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        ]
    )


def loader(
    roi: int = 64, batch: int = 2, subjects: int = 16, epochs: int = 4, workers: tuple[int, ...] = (0, 1)
) -> None:
    """Scans per second that the training's loader delivers from the cache, with and without augmentation, and with no
    process of its own and `workers` of them.

    Compare with `benchmark.py step`: as long as a step takes longer than a batch here, and a loader process has a core,
    the network never waits. Each epoch's start of the processes is included, as in training.
    """
    with tempfile.TemporaryDirectory() as folder:
        generate_phantoms(Path(folder) / "data", 2 * subjects, size=roi, spacing=FOV_MM[0] / roi)
        parser = ConfigParser()
        parser.read_config(str(ROOT / "configs" / "train.json"))
        parser["roi_size"] = [roi] * 3
        parser["dataset_dir"], parser["output_dir"] = f"{folder}/data", f"{folder}/outputs"
        parser["split_fractions"] = FRACTIONS
        parser["residualise"] = {}  # which a dozen phantoms are too few for
        dataset = parser.get_parsed_content("train#dataset")
        dataset.prepare(progress=False)
        print(f"{'augmentation':<14}{'processes':>10}{'scans/s':>10}{'s per batch of ' + str(batch):>20}")
        augmentation = dataset.augmentation
        for kind, chosen in (("none", None), ("as configured", augmentation)):
            dataset.augmentation = chosen
            for count in workers:
                batches = DataLoader(dataset, batch_size=batch, shuffle=True, num_workers=count)
                times = [seconds(partial(list, batches)) for _ in range(WARM_UP + epochs)][WARM_UP:]
                per_scan = float(np.median(times)) / len(dataset)
                print(f"{kind:<14}{count:>10}{1 / per_scan:>10.1f}{batch * per_scan:>20.3f}")
