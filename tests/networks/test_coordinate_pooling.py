"""Expected coordinates: known for a single voxel, and moved by what the body is moved by."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.coordinate_pooling import UNIT, CoordinatePooling


def a_pooling(channels: int = 1, heads: int = 1, scale: float = 1.0) -> CoordinatePooling:
    torch.manual_seed(0)
    module = CoordinatePooling(stage=0, channels=channels, heads=heads)
    if channels == heads == 1:
        module.score.weight.data.fill_(scale)
    return module


def read(module: torch.nn.Module, x: Tensor) -> Tensor:
    return module(x, [x], x)


def a_blob(centre: tuple[int, int, int], side: int = 20) -> Tensor:
    """A Gaussian bump of deviation 1.5 voxels about a voxel of a cube: (1, 1, side, side, side)."""
    axes = [torch.exp(-0.5 * ((torch.arange(side) - c) / 1.5).square()) for c in centre]
    return torch.einsum("i,j,k->ijk", axes)[None, None]


def test_a_single_voxel_is_found_at_its_centre_without_spread() -> None:
    x = torch.zeros(1, 1, 8, 4, 16)
    x[0, 0, 1, 2, 15] = 1.0
    x, y, z, spread = (UNIT * read(a_pooling(scale=200.0), x)[0]).tolist()
    assert (x, y, z) == pytest.approx((3 / 8 - 1, 5 / 4 - 1, 31 / 16 - 1), abs=1e-6)
    assert spread == pytest.approx(1e-5**0.5, abs=1e-6)


def test_a_cell_of_a_coarser_map_lies_on_the_voxel_that_it_is_centred_on() -> None:
    cells = torch.zeros(1, 1, 8, 4, 16)
    cells[0, 0, 1, 2, 15] = 1.0
    image = torch.zeros(1, 1, 32, 16, 64)
    found = (UNIT * a_pooling(scale=200.0)(image, [cells], image)[0, :3]).tolist()
    assert found == pytest.approx((9 / 32 - 1, 17 / 16 - 1, 121 / 64 - 1), abs=1e-6)


def test_an_even_map_lies_in_the_middle_with_the_spread_of_the_grid() -> None:
    found = UNIT * read(a_pooling(), torch.ones(1, 1, 64, 64, 64))[0]
    # A uniform variable on [-1, 1] has variance 1/3; that of n centres is (1 - 1/n²)/3.
    torch.testing.assert_close(found, torch.tensor([0, 0, 0, 3**-0.5]), atol=2e-4, rtol=0)


def test_a_translated_blob_moves_the_centre_by_the_translation_and_leaves_the_spread() -> None:
    # Scores of 30 at the bump: the voxels around hold less than 1e-8 of the weight.
    module = a_pooling(scale=30.0)
    moved = UNIT * (read(module, a_blob((12, 9, 11))) - read(module, a_blob((8, 10, 9))))[0]
    torch.testing.assert_close(moved, torch.tensor([0.4, -0.1, 0.2, 0.0]), atol=1e-5, rtol=0)


def test_each_head_has_four_numbers_of_its_own() -> None:
    module, x = a_pooling(channels=3, heads=2), torch.randn(2, 3, 4, 4, 4)
    before = read(module, x)
    assert before.shape == (2, module.size) == (2, 8)
    module.score.weight.data[1] += 1.0
    after = read(module, x)
    assert torch.equal(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:])


def test_the_weights_add_up_to_one_over_the_voxels() -> None:
    module, seen = a_pooling(channels=3, heads=2), []
    module.map.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    read(module, 10 * torch.randn(2, 3, 4, 4, 4))
    assert 0 <= seen[0].min() <= seen[0].max() <= 1
    torch.testing.assert_close(seen[0].sum(dim=(2, 3, 4)), torch.ones(2, 2))


def test_the_gradient_is_finite_and_there_even_for_a_single_voxel() -> None:
    x = torch.zeros(1, 1, 4, 4, 4)
    x[0, 0, 1, 2, 3] = 1.0
    x += 0.001 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    module = a_pooling(scale=10.0)
    read(module, x).sum().backward()
    assert module.score.weight.grad.isfinite().all()
    assert module.score.weight.grad.any()


def test_torchscript_and_autocast_find_the_same_place() -> None:
    module, x = a_pooling(channels=3, heads=2), torch.randn(2, 3, 4, 4, 4)
    torch.testing.assert_close(read(torch.jit.script(module), x), read(module, x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = read(module, x)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, read(module, x), atol=0.05, rtol=0)


def test_no_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="heads >= 1, found 0"):
        CoordinatePooling(stage=0, channels=3, heads=0)
