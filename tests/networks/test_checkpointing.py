"""Running units again instead of remembering them."""

import copy

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.checkpointing import checkpointed
from semivae_bundle.networks.packing import PackedSemiVAE
from semivae_bundle.networks.semivae import SemiVAE

UNITS = [
    "encoder.stem",
    "encoder.stages.*.*",
    "encoder.smooth",
    "decoder.blocks.*",
    "decoder.anchored.*",
    "decoder.atlas",
]


def gradients(network: SemiVAE, image: Tensor, bf16: bool = False) -> dict[str, Tensor]:
    torch.manual_seed(0)  # of the latent's noise
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        output = network(image)
    weights = {
        name: torch.randn(value.shape, generator=torch.Generator().manual_seed(1)) for name, value in output.items()
    }
    sum((value * weights[name]).mean() for name, value in output.items()).backward()
    return {name.replace("_checkpoint_wrapped_module.", ""): p.grad for name, p in network.named_parameters()}


# In bf16 a sum in another order is rounded to another of the 256 steps, and a third stage, of 2 cells a side, would be
# below what a CPU computes rightly (training/precision.py).
@pytest.mark.parametrize(("bf16", "tolerance", "blocks"), [(False, 1e-6, (1, 2, 1)), (True, 1e-2, (1, 2))])
def test_every_gradient_is_what_it_is_without(
    make_network, image: Tensor, bf16: bool, tolerance: float, blocks: tuple[int, ...]
) -> None:
    expected = gradients(make_network(blocks=blocks), image, bf16)
    found = gradients(checkpointed(make_network(blocks=blocks), UNITS), image, bf16)
    assert all(value.any() for value in found.values())
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


def test_each_unit_runs_once_more_in_the_backward_pass(make_network, image: Tensor) -> None:
    network, runs = checkpointed(make_network(), UNITS), []
    network.encoder.stages[1][0].conv1.register_forward_hook(lambda *_: runs.append("block"))
    network.encoder.laterals[0].register_forward_hook(lambda *_: runs.append("no unit"))
    gradients(network, image)
    assert sorted(runs) == ["block", "block", "no unit"]


def test_weights_go_either_way_under_the_same_names(make_network, image: Tensor) -> None:
    plain, ours, packed = make_network(), checkpointed(make_network(), UNITS), make_network(kind=PackedSemiVAE)
    assert list(ours.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.01)
    plain.load_state_dict(ours.state_dict(), strict=True)
    packed.load_state_dict(ours.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(image), ours.eval()(image))
    ours.load_state_dict(make_network().state_dict(), strict=True)


def test_the_weights_are_exported_by_way_of_the_network_without_units(make_network, image: Tensor) -> None:
    trained, packed = checkpointed(make_network(), UNITS).eval(), make_network(kind=PackedSemiVAE).eval()
    packed.load_state_dict(trained.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(packed)(image), packed(image))


def test_a_running_average_has_weights_of_its_own(make_network, image: Tensor) -> None:
    network = checkpointed(make_network(), UNITS).eval()
    average = copy.deepcopy(network)
    before = average(image)["mean"].detach()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(average(image)["mean"], before)


@pytest.mark.parametrize("units", [["encoder.stages.*.*", "encoder.stage"], []])
def test_units_that_are_no_submodules_are_refused(make_network, units: list[str]) -> None:
    with pytest.raises(ValueError, match=r"expected units that are submodules, such as \['encoder.stem'"):
        checkpointed(make_network(), units)


def test_the_outermost_unit_is_the_one_that_runs_again(make_network) -> None:
    network = checkpointed(make_network(), ["encoder*"])
    wrapped = [name for name, module in network.named_modules() if hasattr(module, "checkpoint_fn")]
    assert wrapped == ["encoder"]
    assert isinstance(network.encoder.stem, nn.Sequential)


@pytest.mark.parametrize("stages", ["encoder.stages", "encoder*stages"])
def test_of_a_list_which_is_never_called_every_entry_is_a_unit(make_network, image: Tensor, stages: str) -> None:
    network, runs = checkpointed(make_network(blocks=(1, 1)), [stages]), []
    wrapped = [name for name, module in network.named_modules() if hasattr(module, "checkpoint_fn")]
    assert wrapped == ["encoder.stages.0", "encoder.stages.1"]
    network.encoder.stages[1][0].conv1.register_forward_hook(lambda *_: runs.append("block"))
    gradients(network, image)
    assert runs == ["block", "block"]


@pytest.mark.parametrize("again", ["encoder.stages.*.*", "encoder.stages.0.0.conv1", "encoder*stages"])
def test_a_unit_within_another_is_refused(make_network, again: str) -> None:
    with pytest.raises(ValueError, match="one within another, or named twice, is no unit of its own"):
        checkpointed(make_network(), ["encoder.stages.*.*", again])
