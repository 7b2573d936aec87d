"""A training that starts from given weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from semivae_bundle.training.initial_weights import started_from


def test_the_weights_are_taken_over_and_may_change(tmp_path: Path) -> None:
    before, network = nn.Linear(3, 2), nn.Linear(3, 2)
    torch.save({name: value.half() for name, value in before.state_dict().items()}, tmp_path / "model.pt")
    assert started_from(network, tmp_path / "model.pt") is network
    torch.testing.assert_close(network.weight, before.weight.half().float())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_missing_file_and_another_network_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"found none at .*none\.pt; pass --initial_weights FILE"):
        started_from(nn.Linear(3, 2), tmp_path / "none.pt")
    torch.save(nn.Linear(4, 2).state_dict(), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"weight: expected \(2, 3\), found \(2, 4\); lay the recipes and options"):
        started_from(nn.Linear(3, 2), tmp_path / "model.pt")
