"""The shape's feature pyramid: whom it reaches, and what it sees that the coarsest map does not."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d, binary_cross_entropy_with_logits, interpolate

from semivae_bundle.networks.decorrelation import SequentialDecorrelation
from semivae_bundle.networks.encoder import ResNetEncoder
from semivae_bundle.networks.multi_scale import MultiScaleReadout
from semivae_bundle.networks.posterior import Posterior

PARTITION = {"vol": 2, "loc": 2, "shape": 3, "residual": 4}
READS = {
    "vol": ["size"],
    "loc": ["place"],
    "shape": ["size", "form", "outline"],
    "residual": ["appearance", "size", "place", "form"],
}


def a_readout(**options: Any) -> MultiScaleReadout:
    torch.manual_seed(0)
    sizes = {"stages": [0, 1], "channels": [4, 8], "width": 8, "norm_groups": 4, "size": 6}
    module = MultiScaleReadout(**{**sizes, **options})
    for block in module.smooth:
        nn.init.ones_(block.norm2.weight)
    return module


def read(module: nn.Module, maps: list[Tensor]) -> Tensor:
    image = torch.zeros(len(maps[0]), 4, 16, 16, 16)
    return module(image, maps, image)


def some_maps() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 4 * 2**k, *[8 // 2**k] * 3, generator=generator) for k in range(3)]


def test_numbers_of_the_stated_size_come_out() -> None:
    assert read(a_readout(), some_maps()).shape == (2, 6)


def test_every_stage_that_it_names_is_read_and_no_other() -> None:
    module, maps = a_readout(stages=[0, 2], channels=[4, 16]), some_maps()
    before = read(module, maps)
    for stage, counts in enumerate([True, False, True]):
        changed = [one + 3 * torch.rand(one.shape) if k == stage else one for k, one in enumerate(maps)]
        assert torch.equal(read(module, changed), before) != counts


def test_the_gradient_reaches_every_parameter_of_the_pyramid() -> None:
    module = a_readout()
    read(module, some_maps()).square().sum().backward()
    assert [name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_torchscript_reads_the_same() -> None:
    module, maps = a_readout(), some_maps()
    torch.testing.assert_close(read(torch.jit.script(module), maps), read(module, maps))


@pytest.mark.parametrize("name", PARTITION)
def test_the_pyramid_reaches_the_shape_and_no_other_partition(name: str) -> None:
    torch.manual_seed(0)
    readouts = {"outline": a_readout()}
    encoder = ResNetEncoder(
        4, (16, 16, 16), 4, [1, 1], 4, pool_size=2, pool_channels=3, hidden_size=8, readouts=readouts
    )
    posterior = Posterior(encoder.feature_sizes, PARTITION, 11, READS, hidden_size=6, min_log_var=-6.0)
    raw, _ = posterior(encoder(torch.randn(4, 4, 16, 16, 16))[0])
    # The decorrelation takes the shape's regression from the residual; no gradient goes that way.
    mean = raw - SequentialDecorrelation(PARTITION, 0.1)(raw)
    mean.split(list(PARTITION.values()), dim=1)[list(PARTITION).index(name)].square().sum().backward()
    reached = [p.grad is not None and bool(p.grad.any()) for p in readouts["outline"].parameters()]
    assert all(reached) if name == "shape" else not any(reached)


def spheres(count: int, seed: int) -> tuple[list[Tensor], Tensor]:
    """Maps (n, 1, 8, 8, 8) and (n, 1, 2, 2, 2) of smooth and rough spheres, and which are rough (n,).

    The roughness is a checkerboard on the surface that averages to zero over each of the coarser cells.
    """
    generator = torch.Generator().manual_seed(seed)
    grid = torch.stack(torch.meshgrid(*[torch.arange(8.0)] * 3, indexing="ij"))
    radius = 2.0 + 1.5 * torch.rand(count, 1, 1, 1, generator=generator)
    distance = (grid - 3.5 - 0.5 * torch.randn(count, 3, 1, 1, 1, generator=generator)).square().sum(dim=1).sqrt()
    ball = torch.sigmoid(2 * (radius - distance))[:, None]
    bumps = ((-1.0) ** grid.sum(dim=0)) * (1 - (distance - radius).abs()).clamp(min=0)[:, None]
    bumps = bumps - interpolate(avg_pool3d(bumps, 4), scale_factor=4.0, mode="nearest")
    rough = (torch.arange(count) % 2).float()
    fine = ball + 0.5 * rough.reshape(-1, 1, 1, 1, 1) * bumps
    torch.testing.assert_close(avg_pool3d(fine, 4), avg_pool3d(ball, 4))
    return [fine, avg_pool3d(fine, 4)], rough


def accuracy_on_new_spheres(stages: list[int]) -> float:
    """Of a linear probe on a readout of `stages`, trained together for 60 steps."""
    module, probe = a_readout(stages=stages, channels=[1] * len(stages)), nn.Linear(6, 1)
    optimiser = torch.optim.Adam([*module.parameters(), *probe.parameters()], lr=0.01)
    maps, rough = spheres(32, seed=1)
    for _ in range(60):
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(probe(read(module, maps))[:, 0], rough).backward()
        optimiser.step()
    maps, rough = spheres(64, seed=2)
    return float(((probe(read(module, maps))[:, 0] > 0) == (rough > 0.5)).float().mean())


def test_the_pyramid_tells_rough_spheres_from_smooth_ones_and_the_coarsest_map_does_not() -> None:
    assert accuracy_on_new_spheres([0, 1]) > 0.95
    assert accuracy_on_new_spheres([1]) < 0.7


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"stages": [1, 0]}, "finest first, found stages .1, 0."),
        ({"stages": [0, 1, 2]}, "as many channels"),
        ({"stages": [], "channels": []}, "found stages .., channels .."),
        ({"width": 0}, "found width=0"),
    ],
)
def test_a_pyramid_that_cannot_be_is_refused_with_the_reason(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        a_readout(**options)
