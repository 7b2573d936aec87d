"""Plain values -> MONAI transforms: what a scan goes through before the network sees it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    MapTransform,
    Orientationd,
    RandAdjustContrastd,
    RandBiasFieldd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    Randomizable,
)

from semivae_bundle.data.field_of_view import BrainFieldOfViewd, FieldOfViewd
from semivae_bundle.data.masks import read_mask
from semivae_bundle.data.orientation import stated_affine
from semivae_bundle.data.shared_grid import SharedGridReader
from semivae_bundle.data.subjects import MODALITIES

TUMOUR_LABELS = (1, 2, 3)  # NCR, ED, ET
PREPROCESSING_VERSION = 1


class StatedGeometryd(MapTransform):
    """Applies what the cohort record says beyond the header: `orientation` overrides the axis codes, `channels` picks
    and orders the channels of a 4-D file as t1c, t1n, t2f, t2w. `modalities` names the channels of a scan that lacks
    some, which become zeros; the entry goes. Items without those entries pass unchanged.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Change the keys' affine and channels."""
        result = dict(data)
        # Gone after this: a batch may hold complete scans, which have no such entry, beside others.
        modalities = result.pop("modalities", None)
        for key in self.key_iterator(result):
            image = result[key]
            if result.get("channels") is not None:
                image = image[list(result["channels"])]
            if result.get("orientation"):
                affine = stated_affine(result["orientation"], image.shape[1:], image.affine.numpy())
                image.affine = torch.as_tensor(affine)
            result[key] = image if modalities is None else with_absent_channels(image, modalities)
        return result


def with_absent_channels(image: MetaTensor, modalities: Sequence[str]) -> MetaTensor:
    """Channels named by `modalities`, (k, D, H, W) -> (4, D, H, W) in the order of MODALITIES, 0 where absent.

    Raises ValueError where the names do not fit the channels.
    """
    known = [name for name in dict.fromkeys(modalities) if name in MODALITIES]
    if len(known) != len(modalities) or len(modalities) != len(image):
        raise ValueError(
            f"modalities: expected one of {', '.join(MODALITIES)} for each of {len(image)} channels, each once, found "
            f"{list(modalities)}"
        )
    full = torch.zeros(len(MODALITIES), *image.shape[1:], dtype=image.dtype)
    full[[MODALITIES.index(name) for name in modalities]] = image.as_tensor()
    return MetaTensor(full).copy_meta_from(image)


class ReadRegionsd(MapTransform):
    """Mask file -> one channel each for NCR, ED and ET in {0, 1}: (3, D, H, W), float32, RAS.

    Reads `label_map` and `orientation` from the item. An item without the key is unlabelled and passes.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace the mask's path by its regions."""
        result = dict(data)
        for key in self.key_iterator(result):
            labels, spacing = read_mask(result[key], result["label_map"], result.get("orientation"))
            regions = np.stack([labels == label for label in TUMOUR_LABELS]).astype(np.float32)
            result[key] = MetaTensor(torch.from_numpy(regions), affine=torch.diag(torch.tensor([*spacing, 1.0])))
        return result


class FlipWithTargetsd(MapTransform, Randomizable):
    """Left-right flip of the images together with the features that mirror: feature' = scale * feature + offset.

    `scale` and `offset` (F,) come from the normalizer, so that a flipped scan keeps a true location.
    """

    def __init__(
        self,
        keys: KeysCollection,
        features_key: str,
        probability: float,
        scale: Sequence[float],
        offset: Sequence[float],
        axis: int = 0,
    ) -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.features_key = features_key
        self.probability = probability
        self.scale = torch.as_tensor(np.asarray(scale), dtype=torch.float32)
        self.offset = torch.as_tensor(np.asarray(offset), dtype=torch.float32)
        self.axis = axis

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Flip everything or nothing."""
        result = dict(data)
        if self.R.random() >= self.probability:
            return result
        for key in self.key_iterator(result):
            result[key] = torch.flip(result[key], dims=(self.axis + 1,))
        if self.features_key in result:
            result[self.features_key] = result[self.features_key] * self.scale + self.offset
        return result


class StandardiseBraind(MapTransform):
    """Z-scores every channel anew over what `brain_key` marks, and sets the rest to 0.

    The network only ever meets standardised scans; an augmentation that shifts or stretches the intensities must not
    teach it others, nor let a few bright images make up the reconstruction error.
    """

    def __init__(self, keys: KeysCollection, brain_key: str) -> None:
        super().__init__(keys)
        self.brain_key = brain_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Standardise (C, D, H, W) by the brain (1, D, H, W)."""
        result = dict(data)
        brain = result[self.brain_key]
        count, dims = brain.sum().clamp(min=1), (1, 2, 3)
        for key in self.key_iterator(result):
            image = result[key] * brain
            mean = image.sum(dim=dims, keepdim=True) / count
            centred = (image - mean) * brain
            std = (centred.square().sum(dim=dims, keepdim=True) / count).sqrt()
            # Below a thousandth of the usual spread there is nothing but rounding to stretch.
            result[key] = centred / std.clamp(min=1e-3)
        return result


def image_transforms(keys: Sequence[str], roi_size: Sequence[int], fov_mm: Sequence[float]) -> list[MapTransform]:
    """Files -> (4, *roi_size): RAS, field of view, z-score over the brain per channel. Training and inference share
    it.
    """
    return [
        LoadImaged(keys=keys, reader=SharedGridReader(), image_only=True, dtype=np.float32),
        EnsureChannelFirstd(keys=keys),
        StatedGeometryd(keys=keys),
        Orientationd(keys=keys, axcodes="RAS", labels=(("L", "R"), ("P", "A"), ("I", "S"))),
        BrainFieldOfViewd(keys=keys, roi_size=roi_size, fov_mm=fov_mm),
    ]


@dataclass(frozen=True)
class Preprocessing:
    """The deterministic part: an item with `image` (and `label`) paths -> image (4, *roi_size), regions (3, *roi_size).

    `parameters()` names everything the result depends on besides the files; the cache is keyed by it.
    """

    roi_size: Sequence[int]
    fov_mm: Sequence[float]

    def parameters(self) -> dict[str, Any]:
        """Values for the cache key."""
        return {"version": PREPROCESSING_VERSION, **asdict(self)}

    def __call__(self, item: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Preprocess one item. `regions` is absent for an unlabelled one."""
        image = Compose(image_transforms(["image"], self.roi_size, self.fov_mm))(dict(item))["image"]
        result = {"image": image.as_tensor()}
        if item.get("label") is not None:
            steps = Compose([ReadRegionsd("label"), FieldOfViewd("label", self.roi_size, self.fov_mm)])
            result["regions"] = steps(dict(item))["label"].as_tensor()
        return result


def intensity_augmentation(
    keys: Sequence[str], probability: float, noise_std: float, bias: float, gamma: Sequence[float]
) -> Compose:
    """Scanner-like changes of a z-scored image: contrast curve, bias field, blur and noise, each with `probability`
    (blur with half of it); then standardised again, as any scan is, which is why there is no gain.
    """
    return Compose(
        [
            RandAdjustContrastd(keys=keys, prob=probability, gamma=tuple(gamma)),
            RandBiasFieldd(keys=keys, prob=probability, degree=2, coeff_range=(0.0, bias)),
            RandGaussianSmoothd(
                keys=keys, prob=probability / 2, sigma_x=(0.3, 0.8), sigma_y=(0.3, 0.8), sigma_z=(0.3, 0.8)
            ),
            RandGaussianNoised(keys=keys, prob=probability, std=noise_std),
            StandardiseBraind(keys=keys, brain_key="brain"),
        ]
    )
