"""Each partition's own attention: gates in [0, 1], gradients everywhere, nothing shared but the encoder's maps."""

from typing import Any

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.attention import ChannelAttention, PartitionAttention, SpatialAttention
from semivae_bundle.networks.encoder import ResNetEncoder

SIZES: dict[str, Any] = {"stage": 1, "channels": 8, "reduction": 4, "kernel_size": 3, "pool_size": 1, "size": 5}


def attention(**options: Any) -> PartitionAttention:
    return PartitionAttention(**{**SIZES, **options})


def some_maps(seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 4 * 2**k, *[8 // 2**k] * 3, generator=generator) for k in range(2)]


def read(module: torch.nn.Module, maps: list[Tensor]) -> Tensor:
    return module(torch.zeros(2, 4, 16, 16, 16), maps, torch.zeros(2, 4, 16, 16, 16))


def an_encoder(**readouts: PartitionAttention) -> ResNetEncoder:
    torch.manual_seed(0)
    return ResNetEncoder(4, (16, 16, 16), 4, [1, 1], 4, pool_size=2, pool_channels=3, hidden_size=8, readouts=readouts)


@pytest.mark.parametrize("pool_size", [1, 2])
def test_numbers_of_the_stated_size_come_out_whatever_the_grid(pool_size: int) -> None:
    module = attention(pool_size=pool_size)
    for maps in (some_maps(), [torch.randn(2, 4, 16, 8, 8), torch.randn(2, 8, 8, 4, 4)]):
        assert read(module, maps).shape == (2, module.size) == (2, 5)


def test_both_gates_lie_between_0_and_1() -> None:
    loud = 100 * some_maps()[1]
    for gate in (ChannelAttention(8, 4)(loud), SpatialAttention(3)(loud)):
        assert gate.min() >= 0
        assert gate.max() <= 1
        assert gate.std() > 0.1


def test_the_gates_have_one_value_a_channel_and_one_a_voxel() -> None:
    x = some_maps()[1]
    assert ChannelAttention(8, 4)(x).shape == (2, 8, 1, 1, 1)
    assert SpatialAttention(3)(x).shape == (2, 1, 4, 4, 4)


def test_the_channel_gate_is_the_shared_mlp_of_average_and_maximum() -> None:
    gate, x = ChannelAttention(8, 4), some_maps()[1]
    expected = torch.sigmoid(gate.mlp(x.flatten(2).mean(dim=2)) + gate.mlp(x.flatten(2).max(dim=2).values))
    torch.testing.assert_close(gate(x).flatten(1), expected)


def test_a_closed_voxel_leaves_the_features() -> None:
    # Only the centre of the cube and the average count: a voxel of average -50 or below is shut.
    module = attention(kernel_size=1).eval()
    module.spatial.weigh.weight.data.copy_(torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1, 1))
    maps = some_maps()
    maps[1][:, :, 0] = -100.0 - some_maps(1)[1][:, :, 0].abs()
    changed = [one.clone() for one in maps]
    changed[1][:, 0, 0] += 1.0
    # The channel gate sees every voxel, so it is held.
    module.channel.mlp[2].weight.data.zero_()
    torch.testing.assert_close(read(module, changed), read(module, maps))
    changed[1][:, 0, 2] += 1.0
    assert (read(module, changed) - read(module, maps)).abs().max() > 1e-3


def test_the_gradient_reaches_every_parameter_of_the_attention() -> None:
    torch.manual_seed(0)
    module = attention(pool_size=2)
    read(module, some_maps()).square().sum().backward()
    assert [name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_one_partition_s_attention_is_nothing_to_another_s() -> None:
    encoder, image = an_encoder(mine=attention(), other=attention()), torch.randn(2, 4, 16, 16, 16)
    before = encoder(image)[0]
    before["mine"].square().sum().backward()
    assert all(p.grad is None for p in encoder.readouts["other"].parameters())
    with torch.no_grad():
        for parameter in encoder.readouts["other"].parameters():
            parameter.add_(0.5)
    after = encoder(image)[0]
    assert torch.equal(after["mine"], before["mine"])
    assert not torch.allclose(after["other"], before["other"])


def test_one_cell_forgets_where_and_several_do_not() -> None:
    here, there = (torch.zeros(2, 8, 8, 8, 8) for _ in range(2))
    here[:, :4, 2:4, 2:4, 2:4] = there[:, :4, 4:6, 4:6, 4:6] = 1.0
    maps = [[torch.zeros(2, 4, 16, 16, 16), one] for one in (here, there)]
    for cells, moved in ((1, False), (2, True)):
        torch.manual_seed(0)
        module = attention(pool_size=cells)
        assert torch.allclose(read(module, maps[0]), read(module, maps[1]), atol=1e-5) != moved


def test_torchscript_and_autocast_read_the_same() -> None:
    module, maps = attention(), some_maps()
    expected = read(module, maps)
    torch.testing.assert_close(read(torch.jit.script(module), maps), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = read(module, maps)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, expected, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"kernel_size": 4}, "odd kernel_size >= 1, .*found 4"),
        ({"reduction": 3}, "divides 8 channels, found 3"),
        ({"channels": 0}, "channels >= 1, found .*channels .0."),
        ({"stage": -1}, "stages >= 0, .*found stages .-1."),
        ({"size": 0}, "size >= 1, found .*size=0"),
        ({"pool_size": 0}, "found pool_size=0"),
    ],
)
def test_an_attention_that_cannot_be_is_refused_with_the_reason(options: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        attention(**options)


@pytest.mark.parametrize("options", [{"channels": 16}, {"stage": 2}])
def test_a_readout_of_what_the_encoder_lacks_is_refused_with_what_it_has(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"readout 'mine': expects .*the encoder's stages have {0: 4, 1: 8}"):
        an_encoder(mine=attention(**options))
