from pathlib import Path

import pytest
import torch
from torch import nn

from semivae_bundle.evaluation.prerequisites import require_checkpoint, require_fit, require_loading, require_subjects


def test_a_missing_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"model\.pt: no checkpoint; run training first or pass --checkpoint FILE"
    ):
        require_checkpoint(tmp_path / "nowhere" / "model.pt")


def test_other_checkpoints_beside_it_are_named(tmp_path: Path) -> None:
    (tmp_path / "last.pt").touch()
    with pytest.raises(FileNotFoundError, match=r"beside it: \['last.pt'\]"):
        require_checkpoint(tmp_path / "model.pt")


def test_a_checkpoint_that_is_there_passes(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    assert require_checkpoint(str(tmp_path / "model.pt")) == tmp_path / "model.pt"


def test_weights_of_another_network_are_told_in_one_line(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "model.pt")
    torch.save({"network": nn.Linear(3, 2).state_dict(), "epoch": 3}, tmp_path / "last.pt")
    for file in ("model.pt", "last.pt"):
        require_fit(tmp_path / file, nn.Linear(3, 2))
    torch.save({"state_dict": nn.Linear(3, 2).state_dict()}, tmp_path / "wrapped.pt")
    with pytest.raises(ValueError, match="1 are unknown"):  # The loader does not unwrap it either.
        require_fit(tmp_path / "wrapped.pt", nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"1 of its 2 .* 0 are unknown; weight: expected \(2, 4\), found \(2, 3\)"):
        require_fit(tmp_path / "model.pt", nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"0 of its 1 .* 1 are unknown; bias: expected nothing, found \(2,\)"):
        require_fit(tmp_path / "model.pt", nn.Linear(3, 2, bias=False))
    (tmp_path / "cut.pt").write_bytes((tmp_path / "model.pt").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"expected a file of torch\.save"):
        require_fit(tmp_path / "cut.pt", nn.Linear(3, 2))


def test_an_unknown_or_empty_split_says_which_there_are() -> None:
    splits = {"train": ["a", "b"], "test": []}
    assert require_subjects(splits, "train") == 2
    with pytest.raises(ValueError, match=r"expected one of \['train', 'test'\], found 'tset'"):
        require_subjects(splits, "tset")
    with pytest.raises(ValueError, match=r"no subject in it .*'train': 2"):
        require_subjects(splits, "test")


def test_batches_and_the_processes_that_load_them_are_told_together() -> None:
    require_loading(1, 0)
    with pytest.raises(ValueError, match=r"batch_size: .*>= 1, found '4'; loader_workers: .*>= 0, found -1; give such"):
        require_loading("4", -1)
