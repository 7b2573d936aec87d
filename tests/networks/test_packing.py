import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.packing import PackedSemiVAE, pack, unpack

ROI = (16, 16, 16)


def parts(side: int, latent: int = 12, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    volume = (2, 4, side, side, side)
    shapes = [volume, volume, volume, (2, latent), (2, latent), (2, 5)]
    return tuple(torch.randn(shape, generator=generator).to(dtype) for shape in shapes)


@pytest.mark.parametrize(("side", "channels"), [(4, 13), (2, 16)])
def test_unpacking_gives_back_every_bit(side: int, channels: int) -> None:
    given = parts(side)
    packed = pack(*given)
    assert packed.shape == (2, channels, side, side, side)
    for subject in range(2):
        got = unpack(packed[subject], 4, 4)
        found = (got.seen_logits, got.tumour_logits, got.reconstruction, got.mean, got.log_var, got.features)
        assert all(torch.equal(a, b[subject]) for a, b in zip(found, given, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_parts_are_carried_in_float32(dtype: torch.dtype) -> None:
    # 300 latent dimensions: bf16 could not even hold their number.
    given = parts(8, latent=301, dtype=dtype)
    packed = pack(*given)
    assert packed.dtype == torch.float32
    assert torch.equal(unpack(packed[0], 4, 4).mean, given[3][0].float())


def test_the_packed_network_says_what_the_trained_one_says(make_network) -> None:
    trained, packed = make_network().eval(), make_network(kind=PackedSemiVAE).eval()
    with torch.no_grad():
        for weight in trained.parameters():
            weight.add_(0.01)
    packed.load_state_dict(trained.state_dict(), strict=True)
    image = torch.randn(1, 4, *ROI, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected, got = trained(image), unpack(packed(image)[0], 4, 4)
    for name in ("mean", "log_var", "features", "reconstruction", "tumour_logits", "seen_logits"):
        assert torch.equal(getattr(got, name), expected[name][0]), name


@pytest.mark.parametrize("heads", ["structured", "mlp", "grouped", "invertible"])
def test_torchscript_gives_the_same_tensor(make_network, heads: str) -> None:
    network = make_network(heads, kind=PackedSemiVAE).eval()
    image = torch.randn(2, 4, *ROI, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(network)(image), network(image))


def test_autocast_still_gives_one_float32_tensor(make_network) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        packed = make_network(kind=PackedSemiVAE).eval()(torch.randn(1, 4, *ROI))
    assert packed.dtype == torch.float32
    assert unpack(packed[0], 4, 4).features.shape == (5,)


@pytest.mark.parametrize("code", [0.0, 1e6, float("nan"), float("inf"), 2.5])
def test_a_tensor_that_was_not_packed_is_refused(code: float) -> None:
    with pytest.raises(ValueError, match=r"expected a packed tensor.*PackedSemiVAE"):
        unpack(torch.full((13, 4, 4, 4), code), 4, 4)


def test_a_tensor_without_code_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="found shape \\(12, 4, 4, 4\\)"):
        unpack(torch.ones(12, 4, 4, 4), 4, 4)
