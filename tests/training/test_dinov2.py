"""DINOv2 from a local file, tiny and untrained."""

import hashlib
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from semivae_bundle.networks.frozen_features import fingerprint
from semivae_bundle.networks.slice_features import SliceFeatures
from semivae_bundle.training.dinov2 import dinov2_network
from semivae_bundle.training.weights_file import WeightsFile

SIZES: dict[str, Any] = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@pytest.fixture
def transformers() -> Any:
    return pytest.importorskip("transformers", reason="needs transformers: pip install -e '.[dinov2]'")


@pytest.fixture
def published(tmp_path: Path, transformers: Any) -> nn.Module:
    """The network whose weights lie in tmp_path, written as its authors publish theirs."""
    torch.manual_seed(3)
    network = transformers.Dinov2Model(transformers.Dinov2Config(**SIZES)).eval()
    network.save_pretrained(tmp_path)
    return network


def weights(folder: Path) -> WeightsFile:
    file = folder / "model.safetensors"
    return WeightsFile(file, hashlib.sha256(file.read_bytes()).hexdigest(), None, False)


def test_the_weights_are_those_of_the_file_and_no_network_is_touched(
    published: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    network = dinov2_network(weights(tmp_path), **SIZES)
    assert torch.equal(fingerprint(network), fingerprint(published))
    assert not any(module.training for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())


def test_a_scan_is_seen_by_it_at_another_size_than_it_was_trained_for(published: nn.Module, tmp_path: Path) -> None:
    network = dinov2_network(weights(tmp_path), **SIZES)
    features = SliceFeatures(network, 12, 14, 42, slices=2, share=0.6, views=[[0, 2, 3]], window=[-3.0, 5.0])
    scans = torch.randn(2, 4, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    found = features(scans)
    assert found.shape == (2, 24)
    assert found.isfinite().all()
    assert (found[0] - found[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 3}, "missing keys such as"),
        ({"num_hidden_layers": 1}, "unexpected keys such as"),
        ({"image_size": 42}, "mismatched keys such as .*position_embeddings"),
    ],
)
def test_weights_of_other_sizes_are_refused(
    published: nn.Module, tmp_path: Path, change: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=f"model.safetensors: not the weights of Dinov2Model of .*{message}"):
        dinov2_network(weights(tmp_path), **{**SIZES, **change})


def test_without_transformers_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install -c constraints.txt -e '\.\[dinov2\]'"):
        dinov2_network(WeightsFile(tmp_path / "x", None, None, False), **SIZES)
