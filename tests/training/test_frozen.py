"""Weights from a local file."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from semivae_bundle.training.frozen import frozen_network


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def test_the_weights_are_those_of_the_file_and_stay_so(file: Path) -> None:
    network = frozen_network(nn.Linear(2, 3), file, hashlib.sha256(file.read_bytes()).hexdigest().upper())
    torch.testing.assert_close(network.weight, torch.load(file, weights_only=True)["weight"])
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


def test_the_form_in_which_public_weights_come_is_understood(file: Path) -> None:
    bare = torch.load(file, weights_only=True)
    torch.save({"state_dict": {f"module.{name}": value for name, value in bare.items()}}, file)
    torch.testing.assert_close(frozen_network(nn.Linear(2, 3), file, None).bias, bare["bias"])


def test_another_file_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match=r"weights.pt: expected SHA-256 0{64}, found [0-9a-f]{64}"):
        frozen_network(nn.Linear(2, 3), file, "0" * 64)


def test_weights_of_another_network_are_refused(file: Path) -> None:
    with pytest.raises(ValueError, match=r"not the weights of Conv3d: 1 of its 2 tensors .*weight: expected"):
        frozen_network(nn.Conv3d(2, 3, 1), file, None)


@pytest.mark.parametrize("missing", [None, "nowhere.pt"])
def test_a_missing_file_is_named_and_nothing_is_fetched(missing: str | None) -> None:
    with pytest.raises(FileNotFoundError, match=f"found {missing}; nothing is downloaded"):
        frozen_network(nn.Linear(2, 3), missing, None)
