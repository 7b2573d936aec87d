"""Encoder, posterior, heads and decoder together."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.semivae import SemiVAE


def test_the_output_is_a_dict_of_tensors_of_stated_shapes(make_network, image: Tensor) -> None:
    output = make_network()(image)
    shapes = {name: tuple(value.shape) for name, value in output.items()}
    volume = (16, 16, 16)
    assert shapes == {
        "mean": (2, 12),
        "log_var": (2, 12),
        "latent": (2, 12),
        "explained": (2, 12),
        "features": (2, 5),
        "reconstruction": (2, 4, *volume),
        "tumour_logits": (2, 4, *volume),
        "seen_logits": (2, 4, *volume),
    }


def test_evaluation_is_repeatable_and_takes_the_mean(make_network, image: Tensor) -> None:
    network = make_network().eval()
    first, second = network(image), network(image)
    for name in first:
        assert torch.equal(first[name], second[name])
    assert torch.equal(first["latent"], first["mean"])


def test_training_samples_with_the_posterior_s_own_spread(make_network, image: Tensor) -> None:
    network = make_network()
    for part in network.posterior.parts:
        part.log_var.weight.data.zero_()
    draws = torch.stack([network(image)["latent"].detach() - network(image)["mean"].detach() for _ in range(60)])
    assert float(draws.std()) == pytest.approx(torch.tensor(-1.5).exp().item(), rel=0.06)


def test_features_are_read_from_the_mean_and_not_from_the_sample(make_network, image: Tensor) -> None:
    network = make_network()
    network.decorrelation.eval()  # in training its statistics move from call to call
    first, second = network(image), network(image)
    assert torch.equal(first["features"], second["features"])
    assert not torch.equal(first["latent"], second["latent"])


def test_the_gradient_reaches_every_parameter(make_network, image: Tensor) -> None:
    network = make_network()
    torch.manual_seed(0)
    sum(
        (value * torch.randn(value.shape)).sum() for name, value in network(image).items() if name != "explained"
    ).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("heads", ["structured", "mlp", "grouped", "invertible"])
def test_torchscript_agrees_with_eager_execution(make_network, image: Tensor, heads: str) -> None:
    network = make_network(heads, noise=True).eval()
    network.decorrelation.running_weight.fill_(1.0)
    network.decorrelation.coefficients[:7, 7:] = torch.randn(7, 5)
    scripted = torch.jit.script(network)
    with torch.no_grad():
        expected, found = network(image), scripted(image)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_the_heads_shape_only_what_is_measured(make_network, image: Tensor) -> None:
    network = make_network()
    (network(image)["features"] * torch.randn(2, 5)).sum().backward()
    moved = [
        part.mean.weight.grad is not None and bool(part.mean.weight.grad.any()) for part in network.posterior.parts
    ]
    assert moved == [True, True, False]


def test_the_mean_is_what_the_earlier_partitions_do_not_explain(make_network, image: Tensor) -> None:
    network = make_network().eval()
    before = network(image)
    network.decorrelation.running_weight.fill_(1.0)
    network.decorrelation.coefficients[0, 9] = 2.0
    after = network(image)
    torch.testing.assert_close(before["mean"] - after["mean"], after["explained"])
    torch.testing.assert_close(after["explained"][:, 9], 2 * before["mean"][:, 0])


def test_bf16_autocast_keeps_the_posterior_close(make_network, image: Tensor) -> None:
    network = make_network().eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        low = network(image)
    with torch.no_grad():
        full = network(image)
    assert all(value.isfinite().all() for value in low.values())
    torch.testing.assert_close(low["mean"], full["mean"], rtol=0.1, atol=0.1)


def test_an_extra_output_is_read_from_the_mean_by_its_name(make_network, image: Tensor) -> None:
    network = make_network(noise=True).eval()
    torch.nn.init.normal_(network.extra["features_log_var"].out.weight)
    output = network(image)
    assert output["features"].shape == output["features_log_var"].shape == (2, 5)
    assert torch.equal(output["features_log_var"], network.extra["features_log_var"](output["mean"]))


@pytest.mark.parametrize("name", ["mean", "prior_log_var"])
def test_an_extra_output_does_not_take_another_s_name(make_network, name: str) -> None:
    network = make_network()
    parts = {name: module for name, module in network.named_children() if name != "extra"}
    with pytest.raises(ValueError, match=rf"extra outputs need names other than .*, found \['{name}'\]"):
        SemiVAE(**parts, extra={name: torch.nn.Identity()})


@pytest.mark.parametrize("heads", ["structured", "mlp", "grouped", "invertible"])
def test_latents_and_features_are_never_rounded_to_bf16(make_network, image: Tensor, heads: str) -> None:
    network = make_network(heads).eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(image)
    for name in ("mean", "log_var", "features"):
        assert output[name].dtype == torch.float32
        assert not torch.equal(output[name], output[name].bfloat16().float())
