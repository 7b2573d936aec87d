"""Encoder, posterior, heads and decoder together."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.semivae import MAX_LOG_VAR


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
    network.to_log_var.weight.data.zero_()
    draws = torch.stack([network(image)["latent"].detach() - network(image)["mean"].detach() for _ in range(60)])
    assert float(draws.std()) == pytest.approx(torch.tensor(-1.5).exp().item(), rel=0.06)


def test_features_are_read_from_the_mean_and_not_from_the_sample(make_network, image: Tensor) -> None:
    network = make_network()
    assert torch.equal(network(image)["features"], network(image)["features"])


@pytest.mark.parametrize(("bias", "expected"), [(-100.0, -6.0), (100.0, MAX_LOG_VAR), (-2.0, -2.0)])
def test_the_log_variance_is_bounded_on_both_sides(make_network, image: Tensor, bias: float, expected: float) -> None:
    network = make_network()
    nn.init.zeros_(network.to_log_var.weight)
    nn.init.constant_(network.to_log_var.bias, bias)
    assert network(image)["log_var"].unique().tolist() == [expected]


def test_the_gradient_reaches_every_parameter(make_network, image: Tensor) -> None:
    network = make_network()
    torch.manual_seed(0)
    nn.init.normal_(network.to_mean.weight, std=0.1)
    sum(
        (value * torch.randn(value.shape)).sum() for name, value in network(image).items() if name != "explained"
    ).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("heads", ["structured", "mlp"])
def test_torchscript_agrees_with_eager_execution(make_network, image: Tensor, heads: str) -> None:
    network = make_network(heads).eval()
    nn.init.normal_(network.to_mean.weight)
    network.decorrelation.running_weight.fill_(1.0)
    network.decorrelation.coefficients[:7, 7:] = torch.randn(7, 5)
    scripted = torch.jit.script(network)
    with torch.no_grad():
        expected, found = network(image), scripted(image)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_dropout_acts_in_training_only(make_network, image: Tensor) -> None:
    network = make_network(dropout=0.5)
    assert not torch.equal(network(image)["mean"], network(image)["mean"])
    network.eval()
    assert torch.equal(network(image)["mean"], network(image)["mean"])
    without = make_network()
    assert torch.equal(without(image)["mean"], without(image)["mean"])


def test_the_decoder_shapes_the_residual_mean_and_leaves_what_is_measured_alone(make_network, image: Tensor) -> None:
    network = make_network()
    (network(image)["reconstruction"] * torch.randn(2, 4, 16, 16, 16)).sum().backward()
    moved = network.to_mean.weight.grad.any(dim=1)
    assert moved.tolist() == [False] * 7 + [True] * 5
    # How precisely a measured dimension is told is the decoder's business.
    assert network.to_log_var.weight.grad.any(dim=1).all()


def test_the_heads_shape_only_what_is_measured(make_network, image: Tensor) -> None:
    network = make_network()
    (network(image)["features"] * torch.randn(2, 5)).sum().backward()
    assert network.to_mean.weight.grad.any(dim=1).tolist() == [True] * 7 + [False] * 5


def test_a_fresh_network_says_nothing_of_what_is_measured_and_something_of_the_rest(
    make_network, image: Tensor
) -> None:
    mean = make_network().eval()(image)["mean"]
    assert not mean[:, :7].any()
    assert mean[:, 7:].std() > 0.3


def test_the_mean_is_what_the_earlier_partitions_do_not_explain(make_network, image: Tensor) -> None:
    network = make_network().eval()
    nn.init.normal_(network.to_mean.weight)
    before = network(image)
    network.decorrelation.running_weight.fill_(1.0)
    network.decorrelation.coefficients[0, 9] = 2.0
    after = network(image)
    torch.testing.assert_close(before["mean"] - after["mean"], after["explained"])
    torch.testing.assert_close(after["explained"][:, 9], 2 * before["mean"][:, 0])


def test_a_measured_partition_that_does_not_exist_is_refused(make_network) -> None:
    with pytest.raises(ValueError, match=r"measured: expected names among .*'vol'.* found \['volume'\]"):
        make_network(measured=["volume"])


def test_a_partition_that_does_not_fill_the_latent_is_refused(make_network) -> None:
    with pytest.raises(ValueError, match="add up to 12"):
        make_network(latent_size=13)


def test_bf16_autocast_keeps_the_posterior_close(make_network, image: Tensor) -> None:
    network = make_network().eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        low = network(image)
    with torch.no_grad():
        full = network(image)
    assert all(value.isfinite().all() for value in low.values())
    torch.testing.assert_close(low["mean"], full["mean"], rtol=0.1, atol=0.1)


def test_latents_and_features_are_never_rounded_to_bf16(make_network, image: Tensor) -> None:
    network = make_network().eval()
    nn.init.normal_(network.to_mean.weight)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(image)
    for name in ("mean", "log_var", "features"):
        assert output[name].dtype == torch.float32
        assert not torch.equal(output[name], output[name].bfloat16().float())
