"""From files to tensors, and what augmentation may change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from semivae_bundle.data.orientation import stated_affine
from semivae_bundle.data.transforms import (
    FlipWithTargetsd,
    Preprocessing,
    ReadRegionsd,
    StandardiseBraind,
    intensity_augmentation,
    with_absent_channels,
)
from semivae_bundle.features.measure import measure_mask
from semivae_bundle.features.normalizer import ColumnScale, Normalizer

LABELS = {0: 0, 1: 1, 2: 2, 4: 3}
VIEW = Preprocessing((16, 16, 16), (192.0, 192.0, 192.0))
KINDS = ("t1c", "t1n", "t2f", "t2w")


@pytest.fixture
def make_item(tmp_path: Path, scan_of: Callable[..., Any], save_file: Callable[..., Path]) -> Callable[..., Any]:
    """An item of one tiny scan in which the tumour shines a hundredfold in t1c; ET is label 4."""

    def make(name: str = "A", affine: NDArray[np.float64] | None = None, **extra: Any) -> dict[str, Any]:
        files = scan_of(3)
        files["seg"] = np.where(files["seg"] == 3, 4, files["seg"]).astype(np.uint8)
        files["t1c"] = np.where(files["seg"] > 0, 20000, files["t1c"]).astype(np.int16)
        options = {} if affine is None else {"affine": affine}
        paths = {
            kind: str(save_file(tmp_path / name / f"{kind}.nii.gz", data, **options)) for kind, data in files.items()
        }
        images = [paths[kind] for kind in KINDS]
        return {"subject": name, "image": images, "label": paths["seg"], "label_map": LABELS, **extra}

    return make


def shining(image: torch.Tensor) -> torch.Tensor:
    """Where t1c is far above the brain's mean."""
    return image[0] > 2


def test_channels_come_in_order_and_each_is_z_scored_in_the_brain(make_item) -> None:
    result = VIEW(make_item())
    image, inside = result["image"], (result["image"] != 0).any(dim=0)
    assert image.shape == (4, 16, 16, 16)
    assert result["regions"].shape == (3, 16, 16, 16)
    assert type(image) is type(result["regions"]) is torch.Tensor
    torch.testing.assert_close(image[:, inside].mean(dim=1), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(image[:, inside].std(dim=1), torch.ones(4), atol=1e-4, rtol=0)
    assert not image[:, ~inside].any()
    assert [bool((channel > 2).any()) for channel in image] == [True, False, False, False]


def test_image_and_mask_lie_on_one_another_in_ras(make_item) -> None:
    result = VIEW(make_item())
    assert torch.equal(shining(result["image"]), result["regions"].sum(dim=0) > 0.5)
    # Stored LPS, the tumour is at second index 4 to 8 of 16: in RAS, nearer to the front.
    assert result["regions"].sum(dim=(0, 1, 3)).nonzero().flatten().tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("codes", ["PIR", "RAS", "ASL"])
def test_an_overridden_orientation_turns_image_and_mask_alike_as_a_true_header_would(make_item, codes: str) -> None:
    stated = VIEW(make_item(orientation=codes))
    true = VIEW(make_item("B", affine=stated_affine(codes, (16, 16, 16), np.diag([12.0, 12, 12, 1]))))
    assert torch.equal(stated["image"], true["image"])
    assert torch.equal(stated["regions"], true["regions"])
    assert torch.equal(shining(stated["image"]), stated["regions"].sum(dim=0) > 0.5)
    assert not torch.equal(stated["regions"], VIEW(make_item("C"))["regions"])


def test_the_volume_of_every_region_survives_a_coarser_grid(make_item) -> None:
    fine, coarse = VIEW(make_item())["regions"], Preprocessing((5, 5, 5), (192.0,) * 3)(make_item())["regions"]
    torch.testing.assert_close(coarse.sum(dim=(1, 2, 3)) * (16 / 5) ** 3, fine.sum(dim=(1, 2, 3)))
    assert fine.sum(dim=(1, 2, 3)).tolist() == [8.0, 48.0, 8.0]


def test_an_unlabelled_item_has_no_regions(make_item) -> None:
    item = make_item()
    del item["label"]
    assert set(VIEW(item)) == {"image"}
    assert ReadRegionsd("label", allow_missing_keys=True)(item) == item


def test_a_4d_file_is_read_by_its_channels(make_item, save_file: Callable[..., Path], tmp_path: Path) -> None:
    import nibabel

    item = make_item()
    arrays = [np.asanyarray(nibabel.load(path).dataobj) for path in item["image"]]
    order = [2, 0, 3, 1]
    stacked = np.stack([arrays[k] for k in order], axis=-1)
    path = save_file(tmp_path / "four.nii.gz", stacked)
    four = {**item, "image": str(path), "channels": [order.index(k) for k in range(4)]}
    assert torch.equal(VIEW(four)["image"], VIEW(item)["image"])


def test_the_parameters_name_everything_the_result_depends_on() -> None:
    assert VIEW.parameters() == {"version": 1, "roi_size": (16, 16, 16), "fov_mm": (192.0, 192.0, 192.0)}


def lopsided_labels() -> NDArray[np.uint8]:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:9, 5:15, 8:12] = 2
    labels[3:6, 6:10, 9:11] = 1
    labels[6:8, 6:12, 9:12] = 3
    return labels


def test_flipped_targets_are_those_measured_on_the_flipped_mask() -> None:
    columns = ("loc_x_total", "loc_y_total", "loc_z_total", "vol_total", "sphericity_total", "aspect_xy_total")
    scales = tuple(ColumnScale(column, "any", 0.4 + 0.1 * k, 0.1 + k, 9) for k, column in enumerate(columns))
    normalizer = Normalizer(scales, 1, (40.0,) * 3, "s", "f")

    def targets(labels: NDArray[np.uint8]) -> torch.Tensor:
        row = measure_mask(labels, np.array([2.0, 2.0, 2.0]), fov_mm=(40.0, 40.0, 40.0))
        return torch.as_tensor(normalizer.transform(pd.DataFrame([row]))[0][0])

    scale, offset = normalizer.mirror(0)
    labels = lopsided_labels()
    flip = FlipWithTargetsd(["regions"], "features", 1.0, scale.tolist(), offset.tolist())
    flipped = flip({"regions": torch.from_numpy(labels)[None], "features": targets(labels)})
    torch.testing.assert_close(flipped["features"], targets(flipped["regions"][0].numpy()), rtol=1e-3, atol=1e-4)
    assert abs(float(flipped["features"][0] - targets(labels)[0])) > 1


def test_everything_flips_together_or_nothing_does_and_about_half_the_time() -> None:
    flip = FlipWithTargetsd(["image", "brain", "missing"], "features", 0.5, [-1.0, 1.0], [2.0, 0.0])
    flip.set_random_state(0)
    ramp = torch.arange(4.0).reshape(1, 4, 1, 1)
    flips = 0
    for _ in range(200):
        result = flip({"image": ramp, "brain": 2 * ramp, "features": torch.tensor([5.0, 7.0])})
        flipped = bool(result["image"][0, 0] == 3)
        flips += flipped
        assert torch.equal(result["brain"], 2 * result["image"])
        assert torch.equal(result["image"], ramp.flip(1) if flipped else ramp)
        assert result["features"].tolist() == ([-3.0, 7.0] if flipped else [5.0, 7.0])
    assert 70 < flips < 130


def a_sample() -> dict[str, Any]:
    torch.manual_seed(0)
    brain = torch.zeros(1, 12, 12, 12)
    brain[:, 3:9, 3:9, 3:9] = 1
    sample = {"image": 3 + torch.randn(4, 12, 12, 12), "brain": brain, "regions": torch.rand(3, 12, 12, 12)}
    return StandardiseBraind(["image"], "brain")(sample)


def test_intensity_augmentation_changes_the_brain_and_nothing_else() -> None:
    augment = intensity_augmentation(["image"], 1.0, noise_std=0.1, bias=0.3, gamma=(0.7, 1.5))
    augment.set_random_state(0)
    sample = a_sample()
    result = augment(dict(sample))
    inside = sample["brain"][0] > 0
    assert not result["image"][:, ~inside].any()
    assert (result["image"] - sample["image"])[:, inside].abs().mean() > 0.05
    assert result["image"].isfinite().all()
    assert torch.equal(result["brain"], sample["brain"])
    assert torch.equal(result["regions"], sample["regions"])


@pytest.mark.parametrize("option", [{"noise_std": 0.5}, {"bias": 1.0}, {"gamma": (2.9, 3.0)}])
def test_every_option_of_the_augmentation_has_an_effect(option: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"noise_std": 0.1, "bias": 0.3, "gamma": (0.7, 1.5)}
    results = []
    for options in (plain, {**plain, **option}):
        augment = intensity_augmentation(["image"], 1.0, **options)
        augment.set_random_state(0)
        results.append(augment(a_sample())["image"])
    assert (results[0] - results[1]).abs().mean() > 1e-3


def test_with_probability_zero_nothing_changes() -> None:
    sample = a_sample()
    augment = intensity_augmentation(["image"], 0.0, noise_std=0.5, bias=1.0, gamma=(0.5, 2.0))
    torch.testing.assert_close(torch.as_tensor(augment(dict(sample))["image"]), sample["image"])


def test_an_augmented_scan_is_as_standardised_as_any() -> None:
    augment = intensity_augmentation(["image"], 1.0, noise_std=0.5, bias=1.0, gamma=(2.0, 2.5))
    augment.set_random_state(0)
    sample = a_sample()
    values = torch.as_tensor(augment(dict(sample))["image"])[:, sample["brain"][0] > 0]
    torch.testing.assert_close(values.mean(dim=1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.std(dim=1, correction=0), torch.ones(4), atol=1e-5, rtol=0)


def test_a_channel_without_contrast_stays_finite_when_standardised() -> None:
    sample = {"image": torch.full((1, 32, 32, 32), 0.1), "brain": torch.ones(1, 32, 32, 32)}
    assert float(StandardiseBraind(["image"], "brain")(sample)["image"].abs().max()) < 1e-2


def test_absent_channels_are_zero_and_the_others_as_if_all_were_there(make_item) -> None:
    complete = make_item()
    item = {**complete, "image": [complete["image"][2], complete["image"][0]], "modalities": ["t2f", "t1c"]}
    found, usual = VIEW(item)["image"], VIEW(complete)["image"]
    assert not found[[1, 3]].any()
    torch.testing.assert_close(found[[0, 2]], usual[[0, 2]])


def test_a_single_file_is_put_in_its_channel(make_item) -> None:
    image = VIEW({**make_item(), "image": make_item()["image"][2:3], "modalities": ["t2f"]})["image"]
    assert image.flatten(1).any(dim=1).tolist() == [False, False, True, False]


@pytest.mark.parametrize("names", [["t1c"], ["t1c", "t1c"], ["t1c", "flair"]])
def test_names_that_do_not_fit_the_channels_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="for each of 2 channels, each once"):
        with_absent_channels(MetaTensor(torch.ones(2, 2, 2, 2)), names)
