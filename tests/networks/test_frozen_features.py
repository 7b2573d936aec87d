"""A readout of frozen features."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.encoder import ResNetEncoder
from semivae_bundle.networks.frozen_features import FrozenFeatures, fingerprint
from semivae_bundle.networks.posterior import Posterior

SCAN = torch.randn(2, 4, 16, 16, 16, generator=torch.Generator().manual_seed(0))


class Extractor(nn.Module):
    """Three numbers, with dropout and batch statistics that training mode would move."""

    size = 3

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Conv3d(4, 3, 3), nn.BatchNorm3d(3), nn.Dropout(0.5), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image).mean(dim=(2, 3, 4))


def a_readout(seed: int = 0) -> FrozenFeatures:
    extractor = Extractor(seed)
    torch.manual_seed(1)
    return FrozenFeatures(extractor, 5)


def read(readout: nn.Module, image: Tensor = SCAN) -> Tensor:
    return readout(image, [], torch.zeros(2, 4, 16, 16, 16))


def test_frozen_means_the_same_bytes_after_two_steps_while_the_projection_moves() -> None:
    readout = a_readout().train()
    before, projection = fingerprint(readout.extractor.module), readout.project.weight.clone()
    optimizer = torch.optim.AdamW(readout.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        read(readout).square().sum().backward()
        optimizer.step()
    assert torch.equal(fingerprint(readout.extractor.module), before)
    assert all(p.grad is None and not p.requires_grad for p in readout.extractor.module.parameters())
    assert not torch.equal(readout.project.weight, projection)


def test_the_gradient_reaches_norm_and_projection_and_not_the_image() -> None:
    readout, image = a_readout(), SCAN.clone().requires_grad_()
    (read(readout, image) * torch.randn(2, 5)).sum().backward()
    assert image.grad is None
    assert all(p.grad is not None and p.grad.any() for p in readout.parameters())


def test_training_mode_changes_nothing() -> None:
    readout = a_readout()
    calm = read(readout.eval())
    assert torch.equal(read(readout.train()), calm)
    assert torch.equal(read(readout), calm)
    assert not any(module.training for module in readout.extractor.module.modules())


def test_the_extractor_is_in_neither_parameters_nor_state() -> None:
    names = {"norm.weight", "norm.bias", "project.weight", "project.bias"}
    assert {name for name, _ in a_readout().named_parameters()} == names
    assert set(a_readout().state_dict()) == names | {"fingerprint"}


def test_copies_share_the_extractor() -> None:
    readout = a_readout()
    twin = copy.deepcopy(readout)
    assert twin.extractor.module is readout.extractor.module
    assert twin.project is not readout.project


def test_the_extractor_goes_where_the_network_goes() -> None:
    network = nn.Sequential(a_readout()).double()
    assert {p.dtype for p in network[0].extractor.module.parameters()} == {torch.float64}


def test_a_checkpoint_is_refused_beside_another_extractor() -> None:
    trained, other = nn.ModuleDict({"learned": a_readout(0)}), nn.ModuleDict({"learned": a_readout(7)})
    with pytest.raises(RuntimeError, match=r"learned.fingerprint: .*extractor of other weights: expected [0-9a-f]{12}"):
        other.load_state_dict(trained.state_dict())
    nn.ModuleDict({"learned": a_readout(0)}).load_state_dict(trained.state_dict())


@pytest.mark.parametrize("lost", ["fingerprint", "project.weight"])
def test_loading_is_strict_about_everything_of_its_own(lost: str) -> None:
    state = a_readout().state_dict()
    del state[lost]
    with pytest.raises(RuntimeError, match=f"Missing key.*{lost}"):
        a_readout().load_state_dict(state)


def test_the_fingerprint_is_of_the_values_and_not_of_their_names() -> None:
    one, other = nn.Linear(2, 3), nn.Module()
    other.first, other.second = one.bias, one.weight
    assert torch.equal(fingerprint(one), fingerprint(other))
    with torch.no_grad():
        one.bias[0] += 1e-3
    assert not torch.equal(fingerprint(nn.Linear(2, 3)), fingerprint(one))


def test_louder_features_do_not_make_louder_output() -> None:
    class Loud(Extractor):
        def forward(self, image: Tensor) -> Tensor:
            return 1000 * super().forward(image)

    readout = a_readout()
    quiet = read(readout).abs().mean()
    readout.extractor.module.__class__ = Loud
    assert read(readout).abs().mean() < 3 * quiet


def test_another_width_than_stated_is_told() -> None:
    extractor = Extractor()
    extractor.size = 4
    with pytest.raises(ValueError, match=r"expected \(2, 4\) from the extractor.*found \(2, 3\)"):
        read(FrozenFeatures(extractor, 5))


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="size of at least 1, found 0"):
        FrozenFeatures(Extractor(), 0)


@pytest.fixture
def means() -> Callable[[float], dict[str, Tensor]]:
    """Means by partition of a network whose residual reads the readout, the projection scaled by the argument."""
    partition = {"vol": 2, "loc": 3, "shape": 2, "residual": 4}
    reads = {"vol": ["size"], "loc": ["place"], "shape": ["form"], "residual": ["appearance", "learned"]}
    torch.manual_seed(0)
    encoder = ResNetEncoder(4, (16, 16, 16), 4, [1, 1], 4, 2, 3, 8, readouts={"learned": a_readout()})
    posterior = Posterior(encoder.feature_sizes, partition, 11, reads, 6, -6.0)

    def of(scale: float) -> dict[str, Tensor]:
        with torch.no_grad():
            encoder.readouts["learned"].project.weight.mul_(scale)
            mean = posterior(encoder(SCAN)[0])[0]
        return dict(zip(partition, mean.split(list(partition.values()), dim=1), strict=True))

    return of


def test_the_residual_reads_it_and_volume_location_and_shape_do_not(means: Callable[..., dict[str, Tensor]]) -> None:
    before, after = means(1.0), means(3.0)
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"residual"}


def test_a_layout_of_volumes_leaves_an_extractor_of_slices_alone() -> None:
    readout = FrozenFeatures(Slices(), 5).to(memory_format=torch.channels_last_3d)
    assert readout.extractor.module.layer.weight.is_contiguous()


class Slices(nn.Module):
    """An extractor with 4-D weights, as DINOv2 has."""

    size = 3

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 3, 3)
