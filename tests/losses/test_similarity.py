"""Structural similarity over scales."""

import pytest
import torch
from monai.metrics.regression import compute_ssim_and_cs
from skimage.metrics import structural_similarity
from torch import Tensor

from semivae_bundle.losses.similarity import MultiscaleDissimilarity, multiscale_dissimilarity, similarity_maps

BRAIN = torch.ones(2, 1, 16, 16, 16)
OPTIONS = {"scales": [0.5, 0.5], "window": 5, "data_range": 5.0}


def scans(seed: int = 0) -> Tensor:
    return torch.randn(2, 4, 16, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_the_maps_are_those_of_monai_with_a_uniform_window() -> None:
    x, y = scans(), scans(1) + scans()
    found = similarity_maps(x, y, window=5, data_range=4.0)
    expected = compute_ssim_and_cs(
        x, y, 3, kernel_size=[5] * 3, kernel_sigma=[1.0] * 3, data_range=4.0, kernel_type="uniform"
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_the_maps_are_those_of_scikit_image() -> None:
    x, y = scans().double(), (scans(1) + scans()).double()
    found = similarity_maps(x, y, window=5, data_range=4.0)[0][1, 2]
    _, whole = structural_similarity(
        x[1, 2].numpy(), y[1, 2].numpy(), win_size=5, data_range=4.0, full=True, use_sample_covariance=False
    )
    torch.testing.assert_close(found.double(), torch.from_numpy(whole[2:-2, 2:-2, 2:-2]), atol=1e-5, rtol=1e-4)


def test_equal_images_differ_by_nothing_and_opposite_ones_by_most() -> None:
    x = scans()
    assert multiscale_dissimilarity(x, x, BRAIN, **OPTIONS).item() == pytest.approx(0, abs=1e-6)
    assert 1.5 < multiscale_dissimilarity(-x, x, BRAIN, **OPTIONS).item() <= 2


def test_a_flat_image_has_a_gradient_where_the_geometric_mean_has_none() -> None:
    flat = (0 * scans()).requires_grad_()
    multiscale_dissimilarity(flat, scans(), BRAIN, **OPTIONS).backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
    assert flat.grad.any()


def test_blur_costs_more_at_the_finest_scale() -> None:
    x = scans()
    blurred = torch.nn.functional.avg_pool3d(x, 3, stride=1, padding=1)
    fine, coarse = (
        multiscale_dissimilarity(blurred, x, BRAIN, scales=scales, window=5, data_range=5.0)
        for scales in ([1.0, 0.0], [0.0, 1.0])
    )
    assert fine > 1.5 * coarse


def test_what_lies_outside_the_brain_does_not_count() -> None:
    x, brain = scans(), BRAIN.clone()
    brain[..., 8:] = 0
    y = x.clone()
    y[..., 14:] = 3
    assert multiscale_dissimilarity(y, x, brain, scales=[1.0], window=5, data_range=5.0).item() == pytest.approx(
        0, abs=1e-6
    )
    assert multiscale_dissimilarity(y, x, BRAIN, scales=[1.0], window=5, data_range=5.0) > 0.05


def test_the_term_is_times_the_observations() -> None:
    x, y = scans(), scans(1)
    term = MultiscaleDissimilarity([16] * 3, [0.5, 0.5], 5, 5.0, observations=100.0)
    found = term({"reconstruction": x}, {"image": y, "brain": BRAIN})
    torch.testing.assert_close(found, 100 * multiscale_dissimilarity(x, y, BRAIN, **OPTIONS))


@pytest.mark.parametrize(
    ("scales", "window", "message"),
    [
        ([0.5, 0.5], 9, "window of 9 voxels does not fit the 8"),
        ([0.5, 0.4], 5, "sum to 1, found"),
        ([1.5, -0.5], 5, ">= 0"),
    ],
)
def test_what_cannot_be_is_said(scales: list[float], window: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiscaleDissimilarity([16, 32, 16], scales, window, 5.0, 1.0)
