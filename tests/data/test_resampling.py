"""Resampling keeps volumes, averages and profiles."""

import numpy as np
import pytest
import torch

from semivae_bundle.data.resampling import apply_banded, resample_centred, resampling_matrix


@pytest.mark.parametrize(("size_out", "spacing_out"), [(12, 4.0), (16, 3.75), (9, 5.5), (24, 2.0)])
def test_a_volume_is_conserved_exactly_on_a_coarser_grid(size_out: int, spacing_out: float) -> None:
    mask = (torch.rand(3, 40, 30, 20, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    out = resample_centred(mask, (1, 1.5, 2), (size_out,) * 3, (spacing_out,) * 3)
    before, after = mask.sum(dim=(1, 2, 3)) * 1 * 1.5 * 2, out.sum(dim=(1, 2, 3)) * spacing_out**3
    torch.testing.assert_close(after, before, rtol=1e-5, atol=0)


def test_averages_stay_averages_on_a_coarser_grid() -> None:
    inside = resampling_matrix(48, 1.0, 10, 4.0)
    np.testing.assert_allclose(inside.sum(axis=1), 1, rtol=1e-6)
    assert (inside >= 0).all()


def test_linear_profiles_stay_linear_on_a_finer_grid() -> None:
    matrix = resampling_matrix(10, 4.0, 60, 0.5)
    coarse, fine = (np.arange(10) - 4.5) * 4, (np.arange(60) - 29.5) * 0.5
    np.testing.assert_allclose(matrix @ coarse, fine, atol=1e-5)


def test_beyond_the_input_all_is_zero_and_its_border_does_not_fade() -> None:
    matrix = resampling_matrix(4, 2.0, 20, 1.0)
    assert (matrix @ np.ones(4)).tolist() == [0.0] * 6 + [1.0] * 8 + [0.0] * 6


def test_the_same_grid_is_left_as_it_is() -> None:
    volume = torch.randn(2, 6, 7, 8)
    assert torch.equal(resample_centred(volume, (1, 2, 3), (6, 7, 8), (1, 2, 3)), volume)


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize(("size_out", "spacing_out"), [(9, 4.7), (40, 0.7), (5, 30.0)])
def test_bands_give_what_the_whole_matrix_gives(axis: int, size_out: int, spacing_out: float) -> None:
    volume = torch.randn(2, 11, 12, 13, generator=torch.Generator().manual_seed(0))
    matrix = resampling_matrix(volume.shape[axis], 1.5, size_out, spacing_out)
    expected = torch.tensordot(volume, torch.from_numpy(matrix), dims=([axis], [1])).movedim(-1, axis)
    torch.testing.assert_close(apply_banded(matrix, volume, axis), expected)
