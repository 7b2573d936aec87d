"""The way to the network's grid and back, as configs/inference.json writes it, with a network of known answer."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose
from nibabel.orientations import axcodes2ornt, inv_ornt_aff

from semivae_bundle.data.transforms import image_transforms
from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.networks.packing import pack

CONFIG = Path(__file__).parents[2] / "configs" / "inference.json"
FOV_MM = 96.0


def transforms(roi: int, targets: dict[str, list[str]], normalizer: Path) -> tuple[Compose, Compose]:
    parser = ConfigParser()
    parser.read_config(CONFIG)
    parser["roi_size"], parser["fov_mm"] = [roi] * 3, [FOV_MM] * 3
    parser["partition"], parser["latent_size"] = {"vol": 1, "residual": 2}, 3
    parser["targets"], parser["normalizer_file"] = targets, str(normalizer)
    return parser.get_parsed_content("preprocessing"), parser.get_parsed_content("postprocessing")


@pytest.fixture
def normalizer_file(tmp_path: Path) -> Path:
    scale = ColumnScale("vol_total", "vol", np.log(1001.0), 1.0, 5)
    Normalizer((scale,), 1, (FOV_MM,) * 3, "0" * 64, "1" * 64).to_json(tmp_path / "normalizer.json")
    return tmp_path / "normalizer.json"


def write_scan(path: Path, codes: str, shape: tuple[int, int, int], spacing: tuple[float, ...]) -> np.ndarray:
    """A scan whose t2f is bright in an off-centre box of even corners; returns the box as a mask."""
    rng = np.random.default_rng(0)
    box = np.zeros(shape, bool)
    box[tuple(slice(side // 8 * 2, side // 2) for side in shape)] = True
    data = rng.uniform(0.5, 0.6, (*shape, 4)).astype(np.float32)
    data[..., 2] += 10 * box
    affine = inv_ornt_aff(axcodes2ornt(tuple(codes)), shape) @ np.diag([*spacing, 1.0])
    affine[:3, 3] += [3.0, -11.0, 7.5]
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return box


def thresholding_network(image: torch.Tensor) -> torch.Tensor:
    """ET where t2f is bright; the feature is 0, so the volume is the normalizer's mean."""
    values = image.as_tensor() if isinstance(image, MetaTensor) else image
    bright = values[:, 2:3] - values[:, 2:3].mean(dim=(2, 3, 4), keepdim=True) - 1.5
    logits = torch.cat([-bright, torch.full_like(bright, -9), torch.full_like(bright, -9), bright], dim=1)
    vector = torch.arange(3.0)[None]
    return pack(logits, -logits, values, vector, -vector, torch.zeros(1, 1))


def infer(path: Path, roi: int, normalizer_file: Path) -> dict[str, Any]:
    before, after = transforms(roi, {"vol": ["vol_total"]}, normalizer_file)
    item = before({"subject": "s", "image": str(path)})
    item["pred"] = thresholding_network(item["image"][None])[0]
    return after(item)


@pytest.mark.parametrize(
    ("codes", "shape", "spacing"),
    [
        ("LPS", (48, 48, 40), (2.0, 2.0, 2.0)),
        ("RAS", (96, 96, 16), (1.0, 1.0, 6.0)),
        ("SPL", (32, 24, 48), (3.0, 4.0, 2.0)),
        ("AIR", (24, 48, 96), (4.0, 2.0, 1.0)),
    ],
)
def test_a_thresholding_network_gives_the_box_back_in_place(
    tmp_path: Path, normalizer_file: Path, codes: str, shape: tuple[int, int, int], spacing: tuple[float, ...]
) -> None:
    box = write_scan(tmp_path / "scan.nii.gz", codes, shape, spacing)
    pred = infer(tmp_path / "scan.nii.gz", 96, normalizer_file)["pred"]
    assert pred.shape == (1, *shape)
    assert pred.dtype == torch.uint8
    np.testing.assert_allclose(pred.affine, nibabel.load(tmp_path / "scan.nii.gz").affine, atol=1e-5)
    found = pred[0].numpy() == 3
    overlap = 2 * (found & box).sum() / (found.sum() + box.sum())
    assert overlap > 0.97
    # A shift by half a voxel on any axis would show here.
    centroid = np.argwhere(found).mean(axis=0)
    np.testing.assert_allclose(centroid, np.argwhere(box).mean(axis=0), atol=0.15)


def test_a_coarse_model_grid_does_not_shift_the_box_either(tmp_path: Path, normalizer_file: Path) -> None:
    box = write_scan(tmp_path / "scan.nii.gz", "LPS", (48, 48, 48), (2.0, 2.0, 2.0))
    found = infer(tmp_path / "scan.nii.gz", 24, normalizer_file)["pred"][0].numpy() == 3
    np.testing.assert_allclose(np.argwhere(found).mean(axis=0), np.argwhere(box).mean(axis=0), atol=0.15)


def test_the_result_speaks_in_physical_units(tmp_path: Path, normalizer_file: Path) -> None:
    write_scan(tmp_path / "scan.nii.gz", "LPS", (24, 24, 24), (4.0, 4.0, 4.0))
    result = infer(tmp_path / "scan.nii.gz", 24, normalizer_file)["result"]
    assert result["features"] == {"vol_total_mm3": pytest.approx(1000.0)}
    assert result["latent_mean"] == {"vol_00": 0.0, "residual_00": 1.0, "residual_01": 2.0}


def test_stated_channels_and_axes_reach_the_network(tmp_path: Path, normalizer_file: Path) -> None:
    write_scan(tmp_path / "scan.nii.gz", "LPS", (24, 24, 24), (4.0, 4.0, 4.0))
    before, _ = transforms(24, {"vol": ["vol_total"]}, normalizer_file)
    path = str(tmp_path / "scan.nii.gz")
    plain = before({"image": path})["image"]
    swapped = before({"image": path, "channels": [0, 2, 1, 3]})["image"]
    turned = before({"image": path, "orientation": "RAS"})["image"]
    assert torch.equal(plain[2].as_tensor(), swapped[1].as_tensor())
    torch.testing.assert_close(plain.as_tensor(), turned.as_tensor().flip(1, 2), atol=1e-5, rtol=0)


def test_preprocessing_equals_that_of_training(phantom_dir: Path, normalizer_file: Path) -> None:
    folder = sorted(path for path in phantom_dir.iterdir() if path.is_dir())[0]
    files = [str(next(folder.glob(f"*-{name}.nii.gz"))) for name in ("t1c", "t1n", "t2f", "t2w")]
    before, _ = transforms(32, {"vol": ["vol_total"]}, normalizer_file)
    trained = Compose(image_transforms(["image"], [32] * 3, [FOV_MM] * 3))
    assert torch.equal(before({"image": files})["image"], trained({"image": files})["image"])
    assert [type(t).__name__ for t in before.transforms] == [type(t).__name__ for t in trained.transforms]
