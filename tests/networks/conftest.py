"""Tiny networks for the tests of the whole model."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from semivae_bundle.networks.atlas import WarpedAtlas
from semivae_bundle.networks.decoder import SpatialBroadcastDecoder
from semivae_bundle.networks.decorrelation import SequentialDecorrelation
from semivae_bundle.networks.encoder import ResNetEncoder
from semivae_bundle.networks.feature_noise import FeatureNoise
from semivae_bundle.networks.grouped_heads import GroupedLinearHeads
from semivae_bundle.networks.heads import MLPHeads, StructuredHeads
from semivae_bundle.networks.invertible_heads import InvertibleHeads
from semivae_bundle.networks.posterior import Posterior
from semivae_bundle.networks.semivae import SemiVAE

PARTITION = {"vol": 4, "loc": 3, "residual": 5}
FEATURES = {"vol": 2, "loc": 3}
READS = {"vol": ["size"], "loc": ["place"], "residual": ["appearance", "size", "place", "form"]}
ROI = (16, 16, 16)

MakeNetwork = Callable[..., SemiVAE]


def awaken(network: nn.Module) -> None:
    """Give the norms that start at zero a weight, so that every branch counts."""
    for name, parameter in network.named_parameters():
        if "norm" in name and name.endswith("weight"):
            nn.init.uniform_(parameter, 0.5, 1.5)


def an_atlas(latent_size: int, roi: Sequence[int], **options: int) -> WarpedAtlas:
    torch.manual_seed(0)
    sizes = {"image_channels": 4, "tissues": 3, "side": 8, "control": 2}
    return WarpedAtlas(latent_size, roi, **{**sizes, **options})


@pytest.fixture
def make_atlas() -> Callable[..., WarpedAtlas]:
    """An atlas small enough for a test, from the size of the code, the ROI, and what differs."""
    return an_atlas


@pytest.fixture
def make_network() -> MakeNetwork:
    """A SemiVAE of ROI 16 with every branch awake; `heads` is a key of `kinds`, `kind` a class of network, `noise`
    adds FeatureNoise, `blocks` are those of the encoder's stages; the rest goes to the posterior.
    """

    def make(
        heads: str = "structured",
        kind: Callable[..., SemiVAE] = SemiVAE,
        noise: bool = False,
        blocks: Sequence[int] = (1, 2, 1),
        **options: Any,
    ) -> SemiVAE:
        torch.manual_seed(0)
        kinds = {
            "structured": lambda: StructuredHeads(PARTITION, FEATURES),
            "mlp": lambda: MLPHeads(PARTITION, FEATURES, hidden_size=6),
            "grouped": lambda: GroupedLinearHeads(PARTITION, FEATURES),
            "invertible": lambda: InvertibleHeads(PARTITION, FEATURES, layers=3, hidden_size=6, max_log_scale=1.0),
        }
        encoder = ResNetEncoder(4, ROI, 4, blocks, 4, pool_size=2, pool_channels=3, hidden_size=8)
        arguments: dict[str, Any] = {
            "partition": PARTITION,
            "latent_size": 12,
            "reads": READS,
            "hidden_size": 6,
            "min_log_var": -6.0,
            **options,
        }
        extra = {"features_log_var": FeatureNoise(12, FEATURES, hidden_size=6, sigma=0.15)} if noise else {}
        network = kind(
            extra=extra,
            encoder=encoder,
            posterior=Posterior(encoder.feature_sizes, **arguments),
            decorrelation=SequentialDecorrelation(PARTITION, 0.1),
            heads=kinds[heads](),
            decoder=SpatialBroadcastDecoder(
                12,
                ROI,
                4,
                4,
                [8, 4],
                4,
                frequencies=2,
                anchors=2,
                directions=torch.zeros(4, 12),
                atlas=an_atlas(12, ROI),
            ),
        )
        awaken(network)
        return network

    return make


@pytest.fixture
def image() -> torch.Tensor:
    """Two images (2, 4, 16, 16, 16)."""
    return torch.randn(2, 4, *ROI, generator=torch.Generator().manual_seed(1))
