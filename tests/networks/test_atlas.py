"""The template: where the code puts it and how it colours it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.atlas import GAIN, REACH, WarpedAtlas
from semivae_bundle.networks.blocks import coordinate_grid

ROI = (8, 10, 12)


MakeAtlas = Callable[..., WarpedAtlas]


@pytest.fixture
def atlas(make_atlas: MakeAtlas) -> WarpedAtlas:
    return make_atlas(5, ROI)


@pytest.fixture
def coordinate_atlas(make_atlas: MakeAtlas) -> Callable[[int], WarpedAtlas]:
    """One tissue, one channel of colour 1, whose template is a coordinate: what is drawn says where it was taken."""

    def make(axis: int) -> WarpedAtlas:
        atlas = make_atlas(5, ROI, image_channels=1, tissues=1, side=40, control=3)
        with torch.no_grad():
            atlas.template[0, 0] = coordinate_grid((40, 40, 40))[0, axis] / GAIN
            for layer in (atlas.affine, atlas.bend, atlas.colour):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            atlas.colour.bias.fill_(1.0)
        return atlas

    return make


def drawn(atlas: WarpedAtlas) -> Tensor:
    return atlas(torch.zeros(1, 5))[0, 0].detach()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_unmoved_the_template_lies_over_the_field_of_view(coordinate_atlas, axis: int) -> None:
    torch.testing.assert_close(drawn(coordinate_atlas(axis)), coordinate_grid(ROI)[0, axis], atol=1e-5, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_affine_map_moves_and_stretches_along_the_axes_it_names(coordinate_atlas, axis: int) -> None:
    atlas = coordinate_atlas(axis)
    matrix = torch.zeros(3, 4)
    matrix[axis, 3], matrix[axis, (axis + 1) % 3] = 2.0, -1.0
    atlas.affine.bias.data = matrix.flatten()
    grid = coordinate_grid(ROI)[0]
    expected = grid[axis] + REACH * (2.0 - grid[(axis + 1) % 3])
    inside = expected.abs() < 0.95
    torch.testing.assert_close(drawn(atlas)[inside], expected[inside], atol=1e-5, rtol=0)


def test_a_bend_of_one_point_moves_its_neighbourhood_alone(coordinate_atlas) -> None:
    atlas = coordinate_atlas(1)
    before = drawn(atlas)
    bend = torch.zeros(3, 3, 3, 3)
    bend[1, 0, 0, 0] = 1.0
    atlas.bend.bias.data = bend.flatten()
    change = drawn(atlas) - before
    assert float(change[1, 1, 1]) == pytest.approx(REACH * (1 - 2 / 7) * (1 - 2 / 9) * (1 - 2 / 11), abs=1e-4)
    assert change[4:].abs().max() < 1e-6


def test_the_same_weights_draw_the_same_picture_on_another_grid(make_atlas: MakeAtlas) -> None:
    coarse, (z, other) = make_atlas(5, ROI, side=3), torch.randn(2, 1, 5)
    nn.init.normal_(coarse.template)
    fine = make_atlas(5, [2 * side for side in ROI], side=3)
    fine.load_state_dict(coarse.state_dict())
    inner = (..., slice(1, -1), slice(1, -1), slice(1, -1))
    halved = nn.functional.avg_pool3d(fine(z), 2)[inner]
    difference = [(halved - coarse(code)[inner]).square().mean() / halved.square().mean() for code in (z, other)]
    assert difference[0] < 0.01 < difference[1]


def test_a_grid_finer_than_the_template_does_not_fade_at_its_border(make_atlas: MakeAtlas) -> None:
    atlas = make_atlas(5, (16, 16, 16), side=4, image_channels=1, tissues=1)
    nn.init.zeros_(atlas.affine.weight)
    nn.init.zeros_(atlas.bend.weight)
    nn.init.constant_(atlas.template, 1.0)
    image = drawn(atlas)
    torch.testing.assert_close(image, image[8, 8, 8].expand_as(image))


def test_the_code_places_bends_and_colours(atlas: WarpedAtlas) -> None:
    (atlas(torch.randn(2, 5)) * torch.randn(2, 4, *ROI)).sum().backward()
    idle = [name for name, p in atlas.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_subjects_do_not_see_each_other(atlas: WarpedAtlas) -> None:
    z = torch.randn(3, 5)
    torch.testing.assert_close(atlas(z)[1:2], atlas(z[1:2]))


def test_autocast_moves_nothing(atlas: WarpedAtlas) -> None:
    z = torch.randn(2, 5)
    places = atlas.places(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(atlas.places(z), places)


@pytest.mark.parametrize("option", [{"tissues": 0}, {"side": 0}, {"control": 1}])
def test_a_size_too_small_is_refused(make_atlas: MakeAtlas, option: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"atlas: expected tissues and side >= 1 and control >= 2, found"):
        make_atlas(5, ROI, **option)
