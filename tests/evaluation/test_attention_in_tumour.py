"""Seeing the maps of a network that runs, and the share of them that lies in the tumour."""

import json

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.evaluation.attention_export import AttentionExport
from semivae_bundle.evaluation.attention_in_tumour import AttentionInTumour
from semivae_bundle.evaluation.attention_maps import AttentionWatch, enlarged, share_inside
from semivae_bundle.networks.attention_map import AttentionMap
from semivae_bundle.networks.blocks import ResidualBlock


class Readout(nn.Module):
    """The image's first channel, on half the grid, as the map."""

    def __init__(self) -> None:
        super().__init__()
        self.map = AttentionMap()

    def forward(self, image: Tensor) -> Tensor:
        return self.map(nn.functional.avg_pool3d(image[:, :1], 2))


class Looking(nn.Module):
    """The parts of a SemiVAE that say whose map is whose; `loc` reads it, `vol` does not."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.posterior = nn.Module(), nn.Module()
        self.encoder.readouts = nn.ModuleDict({"seen": Readout()})
        parts = [nn.Module(), nn.Module()]
        parts[0].reads, parts[1].reads = ["size"], ["place", "seen"]
        self.posterior.parts = nn.ModuleList(parts)

    def forward(self, image: Tensor) -> Tensor:
        return self.encoder.readouts["seen"](image)


def a_region(*corners: tuple[int, int]) -> Tensor:
    region = torch.zeros(len(corners), 1, 8, 8, 8)
    for one, (low, high) in zip(region, corners, strict=True):
        one[:, low:high, low:high, low:high] = 1
    return region


def test_a_map_in_the_region_has_all_of_its_mass_there_and_an_even_one_the_region_s_share() -> None:
    region = a_region((1, 6))  # about the voxels 2 and 4 of the cells 1 and 2, a cell wide each
    inside, even = torch.zeros(1, 1, 4, 4, 4), torch.full((1, 1, 4, 4, 4), 0.3)
    inside[:, :, 1:3, 1:3, 1:3] = 0.2
    assert share_inside([inside], region).item() == pytest.approx(1)
    assert share_inside([even], region).item() == pytest.approx((5 / 8) ** 3)
    assert share_inside([1 - 5 * inside], a_region((2, 5))).item() == 0


def test_a_map_lies_where_the_encoder_looked() -> None:
    """One bright voxel through a fresh encoder, without its norms, which look at the whole map."""
    torch.manual_seed(0)
    stem = nn.Conv3d(1, 32, 3, stride=2, padding=1, bias=False)
    stages = nn.Sequential(stem, *(ResidualBlock(32, 32, stride, norm_groups=4) for stride in (1, 2)))
    for block in stages[1:]:
        block.norm1, block.norm2 = nn.Identity(), nn.Identity()
    bright = torch.zeros(64, 1, 32, 32, 32)
    for k, image in enumerate(bright):  # at every place within a cell
        image[0, 16 + k // 16, 16 + k // 4 % 4, 12 + k % 4] = 1.0
    with torch.no_grad():
        seen = stages(bright).square().sum(dim=1, keepdim=True)
    mass = enlarged([seen], bright.shape[2:]).sum(dim=(0, 1))
    places = torch.arange(32.0)
    centre = torch.stack([(mass.sum(dim=other) * places).sum() for other in ((1, 2), (0, 2), (0, 1))]) / mass.sum()
    torch.testing.assert_close(centre, torch.tensor([17.5, 17.5, 13.5]), atol=0.5, rtol=0)


def test_several_maps_of_several_grids_count_alike() -> None:
    region, fine = a_region((0, 4)), torch.zeros(1, 1, 8, 8, 8)
    fine[:, :, 0, 0, 0] = 7.0
    coarse = torch.ones(1, 1, 2, 2, 2)
    assert share_inside([fine, coarse], region).item() == pytest.approx((1 + 1 / 8) / 2)


def test_a_map_of_nothing_has_no_share() -> None:
    assert share_inside([torch.zeros(1, 1, 4, 4, 4)], a_region((2, 6))).isnan().all()


def test_maps_of_several_grids_are_laid_side_by_side() -> None:
    maps = [torch.full((1, 2, 4, 4, 4), 0.25), torch.full((1, 1, 2, 2, 2), 0.5)]
    assert enlarged(maps, (8, 8, 8)).amax(dim=(0, 2, 3, 4)).tolist() == [0.25, 0.25, 0.5]
    assert enlarged(maps, (8, 12, 4)).shape == (1, 3, 8, 12, 4)


def test_the_latest_forward_is_seen_while_watched_and_not_after() -> None:
    network = Looking()
    watch = AttentionWatch(network, ["vol", "loc"])
    watch.start()
    for image in (torch.rand(1, 4, 8, 8, 8), torch.rand(2, 4, 8, 8, 8)):
        expected = network(image)
        assert watch.names == ["loc"]
        assert torch.equal(watch.latest()["loc"][0], expected)
    watch.stop()
    network(torch.rand(1, 4, 8, 8, 8))
    assert watch.seen == {}


def test_the_section_has_the_mean_share_by_partition_over_scans_with_a_mask() -> None:
    network, regions = Looking(), a_region((1, 6), (0, 3), (0, 8))
    image = a_region((2, 6), (4, 8), (0, 8)).repeat(1, 4, 1, 1, 1)
    gathered = AttentionInTumour(network, ["vol", "loc"])
    gathered.start()
    network(image)
    target = {"regions": regions * torch.eye(3)[1].reshape(1, 3, 1, 1, 1), "brain": torch.ones(3, 1, 8, 8, 8)}
    gathered.add(target | {"labelled": torch.tensor([True, True, False])})
    section = gathered.section(["a", "b", "c"], resamples=20, seed=0, level=0.95)["attention_in_tumour"]
    assert section.keys() == {"loc", "even_over_brain"}
    # All of it, none of it, and a scan that nobody has drawn a mask for.
    assert (section["loc"]["value"], section["loc"]["subjects"]) == (pytest.approx(0.5), 2)
    assert section["even_over_brain"]["value"] == pytest.approx((5**3 + 3**3) / 2 / 8**3)
    json.dumps(section)


def test_a_network_without_maps_has_no_section() -> None:
    gathered = AttentionInTumour(nn.Linear(2, 2), ["vol", "loc"])
    gathered.start()
    gathered.add({})
    assert gathered.section([], resamples=20, seed=0, level=0.95) == {}


def test_maps_of_a_network_without_any_cannot_be_exported() -> None:
    with pytest.raises(ValueError, match="reads some, found none; lay the recipe"):
        AttentionExport(nn.Linear(2, 2), {"vol": 2})


def test_a_grid_that_a_map_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected sides that divide those of the grid, \[8, 8, 6\]"):
        enlarged([torch.ones(1, 1, 4, 4, 4)], (8, 8, 6))
