"""What becomes of the network's one tensor: a label map, and numbers with units."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.data.transforms import TUMOUR_LABELS
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.predictions import latent_columns
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.networks.packing import unpack


def read_shipped_normalizer(
    normalizer_file: str | Path, targets: Mapping[str, Sequence[str]], fov_mm: Sequence[float]
) -> Normalizer:
    """The normalizer that belongs to the weights; raises where it speaks of other features or another field of view.

    It comes with the model, because a machine that only infers has no training cohort to fit one on.
    """
    path = Path(normalizer_file)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no normalizer; it comes with the weights: put it there, or pass the training's own with "
            "--normalizer_file OUTPUTS/normalizer.json"
        )
    normalizer = Normalizer.from_json(path)
    columns = tuple(column for names in targets.values() for column in names)
    found = {"features": normalizer.columns, "fov_mm": tuple(float(side) for side in normalizer.fov_mm)}
    expected = {"features": columns, "fov_mm": tuple(float(side) for side in fov_mm)}
    for what, value in expected.items():
        if found[what] != value:
            raise ValueError(
                f"{path}: expected {what} {value} as this configuration says, found {found[what]}; pass the "
                "--normalizer_file that was written by the training of these weights, or its configuration"
            )
    return normalizer


class UnpackPredictiond(MapTransform):
    """Packed tensor (K, D, H, W) -> under the same key the logits (4, D, H, W) of the encoder's segmentation, from
    which the features come, on `image_key`'s grid.

    Adds `mean`, `log_var` (L,) and `features` (F,) as they came, and, `with_decoded`, what is drawn from the code:
    tumour logits as `decoded` and `reconstruction` (4, D, H, W). Everything goes to the CPU, where the inverse
    transforms work.
    """

    def __init__(self, keys: KeysCollection, image_key: str, with_decoded: bool = False) -> None:
        super().__init__(keys)
        self.image_key = image_key
        self.with_decoded = with_decoded

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Take the tensor apart. A code that is not finite is an error: it has no meaning for anybody."""
        result = dict(data)
        image = result.get(self.image_key)
        if not isinstance(image, MetaTensor):
            raise TypeError(
                f"{self.image_key}: expected the pre-processed image with its history (a MetaTensor), found "
                f"{type(image).__name__}; without it the label map cannot go back to the input's grid"
            )
        for key in self.key_iterator(result):
            packed = result[key].as_tensor() if isinstance(result[key], MetaTensor) else result[key]
            parts = unpack(packed.detach().cpu(), 1 + len(TUMOUR_LABELS), len(MODALITIES))
            scalars = {"mean": parts.mean, "log_var": parts.log_var, "features": parts.features}
            if bad := [name for name, value in scalars.items() if not torch.isfinite(value).all()]:
                raise ValueError(
                    f"{result.get('subject', key)}: the network returned NaN or infinity for {bad}; check the weights"
                )
            result.update(scalars)
            result[key] = on_grid_of(image, parts.seen_logits)
            if self.with_decoded:
                result["decoded"] = on_grid_of(image, parts.tumour_logits)
                result["reconstruction"] = on_grid_of(image, parts.reconstruction)
        return result


class PhysicalResultd(MapTransform):
    """Sets `result_key` to what a client shows or stores as JSON:

    {"features": {"vol_total_mm3": ...}, "latent_mean": {"vol_00": ...}}, from the normalised features under the key. A
    value is cut to what can occur, as its bounds are.
    """

    def __init__(
        self, keys: KeysCollection, normalizer: Normalizer, partition: Mapping[str, int], result_key: str = "result"
    ) -> None:
        super().__init__(keys)
        self.normalizer = normalizer
        self.names = latent_columns(partition)
        self.result_key = result_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Invert the normalizer for one subject."""
        result = dict(data)
        for key in self.key_iterator(result):
            table = self.normalizer.possible_table(torch.as_tensor(result[key]).reshape(1, -1).numpy())
            mean = result["mean"].tolist()
            latent_mean = dict(zip(self.names, mean, strict=True))
            result[self.result_key] = plain({"features": table.iloc[0].to_dict(), "latent_mean": latent_mean})
        return result


def on_grid_of(image: MetaTensor, values: torch.Tensor) -> MetaTensor:
    """`values` (C, D, H, W) with the affine and the history of `image`; raises ValueError for another grid."""
    if values.shape[1:] != image.shape[1:]:
        raise ValueError(
            f"network output: expected its input's grid {tuple(image.shape[1:])}, found {tuple(values.shape[1:])}; "
            "roi_size of the network and of the pre-processing differ"
        )
    return MetaTensor(values.contiguous(), affine=image.affine, applied_operations=list(image.applied_operations))
