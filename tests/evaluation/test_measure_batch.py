import numpy as np
import pytest
import torch

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.measure_batch import measure_batch
from semivae_bundle.evaluation.report import IMAGE_FIGURES

ROI = (16, 16, 16)


def a_batch() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Two subjects, the second unlabelled; the decoded map of the first is right, its image 0.1 off."""
    torch.manual_seed(0)
    regions = torch.zeros(2, 3, *ROI)
    regions[0, 1, 4:8, 4:8, 4:8] = 1
    regions[0, :, 5, 5, 5] = torch.tensor([0.25, 0.5, 0.25])
    image = torch.rand(2, 4, *ROI)
    target = {
        "image": image,
        "regions": regions,
        "brain": torch.ones(2, 1, *ROI),
        "features": torch.rand(2, 3),
        "present": torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]),
        "labelled": torch.tensor([True, False]),
    }
    classes = torch.cat([1 - regions.sum(1, keepdim=True), regions], dim=1)
    output = {
        "mean": torch.rand(2, 5),
        "log_var": torch.zeros(2, 5),
        "features": torch.rand(2, 3).bfloat16(),
        "reconstruction": image + 0.1,
        "tumour_logits": torch.log(classes.clamp(min=1e-9)),
        "seen_logits": torch.log(classes.clamp(min=1e-9)).roll(2, dims=2),
    }
    return output, target


@pytest.fixture
def measured() -> list:
    output, target = a_batch()
    return list(measure_batch(["a", "b"], output, target, np.zeros((4, *ROI), np.float32), voxel_mm3=2.0))


def test_each_subject_gets_its_own_row(measured: list) -> None:
    assert [row.subject for row, _ in measured] == ["a", "b"]
    assert [row.labelled for row, _ in measured] == [True, False]
    assert measured[0][0].present.tolist() == [True, True, False]
    assert measured[0][0].predicted.dtype == np.float64


def test_every_image_figure_exists_for_every_modality(measured: list) -> None:
    scores = measured[0][0].scores
    assert {f"{m}_{name}" for m in MODALITIES for name in IMAGE_FIGURES} <= set(scores)
    assert scores["t1n_psnr_brain_db"] == pytest.approx(20, abs=0.2)  # a range of 0.99 and an error of 0.1
    assert scores["t1n_psnr_gain_brain_db"] > 10


def test_a_map_that_is_right_has_dice_one_and_the_true_volume(measured: list) -> None:
    scores = measured[0][0].scores
    assert scores["dice_total"] == scores["dice_ed"] == 1.0
    assert scores["mask_vol_total_mm3"] == pytest.approx(2.0 * 64)
    assert scores["mask_vol_ncr_mm3"] == pytest.approx(2.0 * 0.25)
    assert (scores["decoded_vol_total_mm3"], scores["decoded_vol_ncr_mm3"]) == (2.0 * 64, 0.0)
    assert np.isnan(scores["dice_et"])  # a quarter of a voxel is no voxel


def test_the_segmentation_is_scored_by_itself(measured: list) -> None:
    scores = measured[0][0].scores
    assert scores["seen_dice_total"] == pytest.approx(0.5)  # two of four voxels off
    assert scores["seen_vol_total_mm3"] == 2.0 * 64
    assert np.isnan(measured[1][0].scores["seen_dice_total"])


def test_an_unlabelled_subject_has_no_overlap_but_a_decoded_volume(measured: list) -> None:
    row, volumes = measured[1]
    assert volumes.measured is None
    assert np.isnan([row.scores["dice_total"], row.scores["mask_vol_total_mm3"], row.scores["t1c_ssim_tumour"]]).all()
    assert np.isfinite(row.scores["decoded_vol_total_mm3"])
