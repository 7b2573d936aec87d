"""One modality of a scan, read and cached by itself."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from semivae_bundle.data.dataset import cache_key
from semivae_bundle.data.one_modality import OneModality, only_modality
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.data.transforms import Preprocessing

ROI, FOV = (16, 16, 16), (240.0, 240.0, 240.0)


@pytest.fixture
def item(phantom_dir: Path) -> dict[str, Any]:
    folder = min(path for path in phantom_dir.iterdir() if path.is_dir())
    return {"subject": folder.name, "image": [str(next(folder.glob(f"*-{name}.nii.gz"))) for name in MODALITIES]}


@pytest.mark.parametrize("modality", MODALITIES)
def test_it_is_the_channel_of_its_name(item: dict[str, Any], modality: str) -> None:
    four, one = Preprocessing(ROI, FOV)(item)["image"], OneModality(ROI, FOV, modality)(item)["image"]
    assert one.shape == (1, *ROI)
    correlation = [torch.corrcoef(torch.stack([one.flatten(), channel.flatten()]))[0, 1] for channel in four]
    assert MODALITIES[int(torch.stack(correlation).argmax())] == modality
    assert max(correlation) > 0.99


def test_it_is_standardised_over_its_own_brain(item: dict[str, Any]) -> None:
    image = OneModality(ROI, FOV, "t2f")(item)["image"]
    assert image[image != 0].mean().item() == pytest.approx(0, abs=1e-3)
    assert image[image != 0].std().item() == pytest.approx(1, abs=1e-2)


def test_the_other_files_are_not_read(item: dict[str, Any]) -> None:
    image = OneModality(ROI, FOV, "t1n")(item)["image"]
    alone = [file if name == "t1n" else "nowhere.nii.gz" for name, file in zip(MODALITIES, item["image"], strict=True)]
    assert torch.equal(OneModality(ROI, FOV, "t1n")({**item, "image": alone})["image"], image)


def test_of_a_file_of_four_channels_it_takes_its_own(item: dict[str, Any], tmp_path: Path) -> None:
    scans = [nibabel.load(file) for file in reversed(item["image"])]
    stacked = np.stack([np.asanyarray(scan.dataobj) for scan in scans], axis=3)
    nibabel.save(nibabel.Nifti1Image(stacked, scans[0].affine), tmp_path / "four.nii.gz")
    together = {"subject": "four", "image": str(tmp_path / "four.nii.gz"), "channels": [3, 2, 1, 0]}
    for modality in ("t1c", "t2f"):
        transform = OneModality(ROI, FOV, modality)
        torch.testing.assert_close(transform(together)["image"], transform(item)["image"])


def test_it_is_never_taken_from_the_cache_of_another(item: dict[str, Any]) -> None:
    transforms = [Preprocessing(ROI, FOV), *(OneModality(ROI, FOV, modality) for modality in MODALITIES)]
    assert len({cache_key(item, transform) for transform in transforms}) == 5


def test_the_item_is_left_as_it_was(item: dict[str, Any]) -> None:
    assert only_modality(item, "t2w")["image"] == item["image"][3:]
    assert len(item["image"]) == 4


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(ValueError, match="modality: expected one of t1c, t1n, t2f, t2w, found 'flair'"):
        OneModality(ROI, FOV, "flair")
