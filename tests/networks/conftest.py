"""Tiny networks for the tests of the whole model."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from semivae_bundle.networks.decoder import SpatialBroadcastDecoder
from semivae_bundle.networks.decorrelation import SequentialDecorrelation
from semivae_bundle.networks.encoder import ResNetEncoder
from semivae_bundle.networks.heads import MLPHeads, StructuredHeads
from semivae_bundle.networks.semivae import SemiVAE

PARTITION = {"vol": 4, "loc": 3, "residual": 5}
FEATURES = {"vol": 2, "loc": 3}
ROI = (16, 16, 16)

MakeNetwork = Callable[..., SemiVAE]


def awaken(network: nn.Module) -> None:
    """Give the norms that start at zero a weight, so that every branch counts."""
    for name, parameter in network.named_parameters():
        if "norm" in name and name.endswith("weight"):
            nn.init.uniform_(parameter, 0.5, 1.5)


@pytest.fixture
def make_network() -> MakeNetwork:
    """A SemiVAE of ROI 16 with every branch awake; `heads` is "structured" or "mlp", the rest goes to SemiVAE."""

    def make(heads: str = "structured", **options: Any) -> SemiVAE:
        torch.manual_seed(0)
        kinds = {
            "structured": lambda: StructuredHeads(PARTITION, FEATURES),
            "mlp": lambda: MLPHeads(PARTITION, FEATURES, hidden_size=6),
        }
        arguments = {
            "partition": PARTITION,
            "latent_size": 12,
            "min_log_var": -6.0,
            "measured": ["vol", "loc"],
            "decorrelation": SequentialDecorrelation(PARTITION, 0.1),
            **options,
        }
        network = SemiVAE(
            encoder=ResNetEncoder(4, ROI, 4, [1, 2, 1], 4, pool_size=2, pool_channels=3, hidden_size=8),
            heads=kinds[heads](),
            decoder=SpatialBroadcastDecoder(12, ROI, 4, 4, [8, 4], 4, frequencies=2, anchors=2),
            **arguments,
        )
        awaken(network)
        return network

    return make


@pytest.fixture
def image() -> torch.Tensor:
    """Two images (2, 4, 16, 16, 16)."""
    return torch.randn(2, 4, *ROI, generator=torch.Generator().manual_seed(1))
