"""Which partition's attention is which."""

import torch
from torch import nn

from semivae_bundle.networks.attention import PartitionAttention
from semivae_bundle.networks.attention_map import AttentionMap, attention_per_partition
from semivae_bundle.networks.coordinate_pooling import CoordinatePooling
from semivae_bundle.networks.encoder import ResNetEncoder
from semivae_bundle.networks.posterior import Posterior
from semivae_bundle.networks.semivae import SemiVAE


def a_network(reads: dict[str, list[str]]) -> SemiVAE:
    readouts = {"attended": PartitionAttention(0, 4, 2, 3, 1, 2), "coordinates": CoordinatePooling(1, 8, 3)}
    encoder = ResNetEncoder(4, (8, 8, 8), 4, [1, 1], 4, pool_size=2, pool_channels=3, hidden_size=8, readouts=readouts)
    posterior = Posterior(encoder.feature_sizes, dict.fromkeys(reads, 2), 2 * len(reads), reads, 4, -6.0)
    return SemiVAE(encoder, posterior, nn.Identity(), nn.Identity(), nn.Identity())


def test_a_partition_has_the_maps_of_the_readouts_that_it_reads() -> None:
    network = a_network({"vol": ["size"], "loc": ["coordinates"], "rest": ["attended", "size", "coordinates"]})
    attended, coordinates = (network.encoder.readouts[name].map for name in ("attended", "coordinates"))
    assert attention_per_partition(network, ["vol", "loc", "rest"]) == {
        "loc": [coordinates],
        "rest": [attended, coordinates],
    }


def test_a_network_without_maps_has_none_whatever_it_is() -> None:
    assert attention_per_partition(nn.Linear(2, 2), ["vol"]) == {}


def test_a_map_passes_as_it_is() -> None:
    x = torch.rand(1, 2, 3, 3, 3)
    assert torch.equal(AttentionMap()(x), x)
