"""The networks that take any subset of the modalities."""

from typing import Any

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.expert_encoder import ExpertEncoder
from semivae_bundle.networks.expert_posterior import ExpertPosterior
from semivae_bundle.networks.experts import mixture_of_experts, product_of_experts, stratified_expert
from semivae_bundle.networks.packing import PackedSemiVAE
from semivae_bundle.networks.posterior import Posterior
from semivae_bundle.networks.presence import PresenceEncoder, is_told_what_is_absent, presence
from semivae_bundle.networks.semivae import SemiVAE

SIZES: dict[str, Any] = {"roi_size": (16, 16, 16), "base_filters": 4, "blocks": [1, 1, 1], "norm_groups": 4}
SIZES |= {"pool_size": 2, "pool_channels": 3, "hidden_size": 8}
PARTITION = {"vol": 4, "loc": 3, "residual": 5}
READS = {"vol": ["size", "presence"], "loc": ["place", "presence"], "residual": ["appearance", "presence"]}
COMBINE = {"product": (product_of_experts, product_of_experts), "mixture": (mixture_of_experts, stratified_expert)}
KINDS = ("plain", "product", "mixture")


def a_network(make_network, kind: str, of: type[SemiVAE] = SemiVAE) -> SemiVAE:
    network = make_network(kind=of)
    posterior: dict[str, Any] = {"partition": PARTITION, "latent_size": 12, "reads": READS}
    posterior |= {"hidden_size": 6, "min_log_var": -6.0}
    if kind == "plain":
        network.encoder = PresenceEncoder(4, **SIZES)
        network.posterior = Posterior(network.encoder.feature_sizes, **posterior)
    else:
        network.encoder = ExpertEncoder(4, **SIZES)
        network.posterior = ExpertPosterior(
            feature_sizes=network.encoder.feature_sizes,
            evaluated=COMBINE[kind][0],
            trained=COMBINE[kind][1],
            **posterior,
        )
    return network.eval()


def without(image: Tensor, *channels: int) -> Tensor:
    result = image.clone()
    result[:, list(channels)] = 0
    return result


def test_a_channel_is_present_where_any_voxel_differs_from_zero(image: Tensor) -> None:
    image[:, 1] = 0
    image[0, 1, 3, 3, 3] = 1
    assert presence(image).tolist() == [[1, 1, 1, 1], [1, 0, 1, 1]]


@pytest.mark.parametrize("of", [SemiVAE, PackedSemiVAE])
@pytest.mark.parametrize("kind", KINDS)
def test_torchscript_agrees_on_any_subset(make_network, image: Tensor, kind: str, of: type[SemiVAE]) -> None:
    network = a_network(make_network, kind, of)
    scripted = torch.jit.script(network)
    with torch.no_grad():
        for absent in ((), (1,), (0, 2, 3), (0, 1, 2, 3)):
            seen = without(image, *absent)
            torch.testing.assert_close(scripted(seen), network(seen))


@pytest.mark.parametrize("kind", KINDS)
def test_training_on_a_subset_gives_finite_gradients(make_network, image: Tensor, kind: str) -> None:
    network = a_network(make_network, kind).train()
    output = network(without(image, 0, 3))
    sum(value.square().sum() for value in output.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("kind", ["product", "mixture"])
def test_an_expert_of_an_absent_modality_has_no_part_in_the_code(make_network, image: Tensor, kind: str) -> None:
    network, seen = a_network(make_network, kind), without(image, 1)
    before = network(seen)["mean"]
    for other in (0.0, 5.0):
        network.encoder.modality[1] = other
        torch.testing.assert_close(network(seen)["mean"], before)
    assert not torch.allclose(network(image)["mean"], before)


def test_readouts_of_all_modalities_at_once_are_refused_by_experts() -> None:
    with pytest.raises(ValueError, match=r"experts have no readouts, found \['means'\]"):
        ExpertEncoder(4, **SIZES, readouts={"means": torch.nn.Identity()})


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_for_subsets_can_be_told_from_the_usual_one(make_network, kind: str) -> None:
    assert is_told_what_is_absent(a_network(make_network, kind))
    assert not is_told_what_is_absent(make_network())


def test_presence_planes_have_no_readouts() -> None:
    with pytest.raises(ValueError, match=r"presence planes has no readouts, found \['means'\]"):
        PresenceEncoder(4, **SIZES, readouts={"means": torch.nn.Identity()})
