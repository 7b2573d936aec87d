"""Weights under other names than the network's."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.training.frozen import pretrained_network
from semivae_bundle.training.weights_file import WeightsFile

LINEAR = nn.Linear(2, 3).state_dict()


def network_from(state: dict[str, Tensor], folder: Path, **naming: Any) -> nn.Module:
    torch.save(state, folder / "weights.pt")
    weights = WeightsFile(folder / "weights.pt", sha256_of_file(folder / "weights.pt"), None, False)
    return pretrained_network(nn.Linear(2, 3), weights, **{"prefix": "", "rename": {}, "leave_out": [], **naming})


def test_a_part_of_a_larger_network_is_taken_by_its_prefix(tmp_path: Path) -> None:
    state = {f"module.encoder.{name}": value for name, value in LINEAR.items()} | {"module.decoder.x": torch.ones(1)}
    network = network_from(state, tmp_path, prefix="encoder.")
    torch.testing.assert_close(network.weight, LINEAR["weight"])
    assert not network.training
    assert not network.weight.requires_grad


def test_what_else_was_trained_is_left_out_and_names_are_changed(tmp_path: Path) -> None:
    state = {"kernel": LINEAR["weight"], "bias": LINEAR["bias"], "head.bias": torch.ones(1)}
    network = network_from(state, tmp_path, rename={"kernel": "weight"}, leave_out=["head."])
    torch.testing.assert_close(network.weight, LINEAR["weight"])


@pytest.mark.parametrize("state", [{"weight": LINEAR["weight"]}, LINEAR | {"head.bias": torch.ones(1)}])
def test_a_name_too_few_or_too_many_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"weights.pt: not the weights of Linear: (?s:.*)bias"):
        network_from(state, tmp_path)


def test_a_prefix_that_nothing_has_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"begin with 'swin.', found \['weight', 'bias'\]; change the prefix"):
        network_from(LINEAR, tmp_path, prefix="swin.")
