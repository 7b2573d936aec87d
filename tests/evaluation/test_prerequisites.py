from pathlib import Path

import pytest

from semivae_bundle.evaluation.prerequisites import require_checkpoint, require_subjects


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


def test_an_unknown_or_empty_split_says_which_there_are() -> None:
    splits = {"train": ["a", "b"], "test": []}
    assert require_subjects(splits, "train") == 2
    with pytest.raises(ValueError, match=r"expected one of \['train', 'test'\], found 'tset'"):
        require_subjects(splits, "tset")
    with pytest.raises(ValueError, match=r"no subject in it .*'train': 2"):
        require_subjects(splits, "test")
