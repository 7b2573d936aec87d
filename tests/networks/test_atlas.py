"""The template: where the code puts it and how it colours it."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.atlas import GAIN, REACH, WarpedAtlas
from semivae_bundle.networks.blocks import coordinate_grid

ROI = (8, 10, 12)


def an_atlas(**options: int) -> WarpedAtlas:
    torch.manual_seed(0)
    sizes = {"image_channels": 2, "tissues": 2, "side": 10, "control": 3}
    return WarpedAtlas(5, ROI, **{**sizes, **options})


def with_template(function: str) -> WarpedAtlas:
    """One tissue, one channel of colour 1, whose template is a coordinate: what is drawn says where it was taken."""
    atlas = an_atlas(image_channels=1, tissues=1, side=40)
    with torch.no_grad():
        atlas.template[0, 0] = coordinate_grid((40, 40, 40))[0]["xyz".index(function)] / GAIN
        for layer in (atlas.affine, atlas.bend, atlas.colour):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        atlas.colour.bias.fill_(1.0)
    return atlas


def drawn(atlas: WarpedAtlas) -> Tensor:
    return atlas(torch.zeros(1, 5))[0, 0].detach()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_unmoved_the_template_lies_over_the_field_of_view(axis: int) -> None:
    torch.testing.assert_close(drawn(with_template("xyz"[axis])), coordinate_grid(ROI)[0, axis], atol=1e-5, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_affine_map_moves_and_stretches_along_the_axes_it_names(axis: int) -> None:
    atlas = with_template("xyz"[axis])
    matrix = torch.zeros(3, 4)
    matrix[axis, 3], matrix[axis, (axis + 1) % 3] = 2.0, -1.0
    atlas.affine.bias.data = matrix.flatten()
    grid = coordinate_grid(ROI)[0]
    expected = grid[axis] + REACH * (2.0 - grid[(axis + 1) % 3])
    inside = expected.abs() < 0.95
    torch.testing.assert_close(drawn(atlas)[inside], expected[inside], atol=1e-5, rtol=0)


def test_a_bend_of_one_point_moves_its_neighbourhood_alone() -> None:
    atlas = with_template("y")
    before = drawn(atlas)
    bend = torch.zeros(3, 3, 3, 3)
    bend[1, 0, 0, 0] = 1.0
    atlas.bend.bias.data = bend.flatten()
    change = drawn(atlas) - before
    assert float(change[1, 1, 1]) == pytest.approx(REACH * (1 - 2 / 7) * (1 - 2 / 9) * (1 - 2 / 11), abs=1e-4)
    assert change[4:].abs().max() < 1e-6


def test_the_same_weights_draw_the_same_picture_on_another_grid() -> None:
    coarse, z = an_atlas(side=6), torch.randn(1, 5)
    fine = WarpedAtlas(5, [2 * side for side in ROI], image_channels=2, tissues=2, side=6, control=3)
    fine.load_state_dict(coarse.state_dict())
    halved = nn.functional.avg_pool3d(fine(z), 2)
    inner = (..., slice(1, -1), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(halved[inner], coarse(z)[inner], atol=0.05, rtol=0.1)


def test_the_code_places_bends_and_colours() -> None:
    atlas = an_atlas()
    (atlas(torch.randn(2, 5)) * torch.randn(2, 2, *ROI)).sum().backward()
    idle = [name for name, p in atlas.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_subjects_do_not_see_each_other() -> None:
    atlas, z = an_atlas(), torch.randn(3, 5)
    torch.testing.assert_close(atlas(z)[1:2], atlas(z[1:2]))


@pytest.mark.parametrize("option", [{"tissues": 0}, {"side": 0}, {"control": 1}])
def test_a_size_too_small_is_refused(option: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"atlas: expected tissues and side >= 1 and control >= 2, found"):
        an_atlas(**option)
