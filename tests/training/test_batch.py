"""A batch from the loader becomes image and targets."""

import torch
from monai.data import MetaTensor

from semivae_bundle.training.batch import TARGETS, PrepareSemiVAEBatch


def test_image_and_targets_are_plain_tensors_on_the_device_and_names_stay_behind() -> None:
    shapes = {
        "image": (2, 4, 2, 2, 2),
        "regions": (2, 3, 2, 2, 2),
        "brain": (2, 1, 2, 2, 2),
        "features": (2, 5),
        "present": (2, 5),
        "labelled": (2,),
        "index": (2,),
    }
    batch = {name: torch.ones(shape) for name, shape in shapes.items()}
    batch["image"] = MetaTensor(batch["image"])
    image, target = PrepareSemiVAEBatch()({**batch, "subject": ["A", "B"]}, device="cpu")  # type: ignore[dict-item]
    assert {name: tuple(value.shape) for name, value in target.items()} == shapes
    assert all(type(value) is torch.Tensor for value in target.values())
    assert image is target["image"]


def test_what_is_named_beside_them_comes_too() -> None:
    batch = {name: torch.ones(2) for name in ("image", *TARGETS, "patient")}
    assert set(PrepareSemiVAEBatch(more=["patient"])(batch)[1]) == {"image", *TARGETS, "patient"}
    assert set(PrepareSemiVAEBatch()(batch)[1]) == {"image", *TARGETS}
