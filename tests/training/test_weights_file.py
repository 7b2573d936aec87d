"""A file of weights: there, the right one, and read without executing anything in it."""

import argparse
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.training.weights_file import WeightsFile, read_state, read_torch, save_torch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_the_file_that_is_meant_is_taken(file: Path) -> None:
    assert WeightsFile(file, sha256_of_file(file).upper(), None, "false").path() == file


@pytest.mark.parametrize("allow", [False, True])
def test_a_missing_file_says_what_to_do_and_asks_nobody(tmp_path: Path, no_network: None, allow: bool) -> None:
    url = None if allow else "https://weights.invalid/weights.pt"
    with pytest.raises(FileNotFoundError, match=r"found .*nowhere.pt; fetch it and pass --extractor_weights FILE"):
        WeightsFile(tmp_path / "nowhere.pt", "0" * 64, url, allow).path()


def test_another_file_is_refused_with_both_hashes(file: Path) -> None:
    with pytest.raises(ValueError, match=r"weights.pt: expected SHA-256 0{64}, found [0-9a-f]{64}; it is another"):
        WeightsFile(file, "0" * 64, None, False).path()


def test_an_unstated_hash_is_told_to_be_stated(file: Path) -> None:
    with pytest.raises(ValueError, match=f"found none; .* pass --extractor_sha256 {sha256_of_file(file)}"):
        WeightsFile(file, None, None, False).path()


def test_a_permitted_download_is_kept_if_the_hash_is_right(file: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "new" / "copy.pt"
    weights = WeightsFile(wanted, sha256_of_file(file), file.as_uri(), "true")
    assert weights.path().read_bytes() == file.read_bytes()


def test_a_download_with_another_hash_is_not_kept(file: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "new" / "copy.pt"
    with pytest.raises(RuntimeError, match="invalid hash value"):
        WeightsFile(wanted, "0" * 64, file.as_uri(), True).path()
    assert list(wanted.parent.iterdir()) == []


@pytest.mark.parametrize("entry", [None, "state_dict", "model"])
def test_the_forms_in_which_public_weights_come_are_understood(file: Path, entry: str | None) -> None:
    bare = torch.load(file, weights_only=True)
    state = {f"module.{name}": value for name, value in bare.items()}
    torch.save(state if entry is None else {entry: state, "epoch": 3}, file)
    assert {name: tuple(value.shape) for name, value in read_state(file).items()} == {"weight": (3, 2), "bias": (3,)}


def test_objects_are_not_unpickled(file: Path) -> None:
    torch.save({"state_dict": {}, "args": argparse.Namespace(lr=1)}, file)
    with pytest.raises(ValueError, match="nothing but tensors and plain values, which is all that is read"):
        read_state(file)


@pytest.mark.parametrize("content", [{"epoch": 3, "lr": 0.1}, [1, 2], {}])
def test_a_file_without_tensors_is_refused(file: Path, content: object) -> None:
    torch.save(content, file)
    with pytest.raises(ValueError, match=r"weights.pt: expected"):
        read_state(file)


def test_a_damaged_safetensors_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="needs the extra dinov2")
    (tmp_path / "weights.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"expected a .safetensors file"):
        read_state(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("damaged", [b"", b"no weights, but text\n", b"PK\x03\x04half"])
def test_a_damaged_file_is_told_as_one(damaged: bytes, file: Path) -> None:
    for content in (damaged, file.read_bytes()[:-200]):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights.pt: expected a file of torch.save .* damaged, copy it again"):
            read_torch(file)
    with pytest.raises(FileNotFoundError, match="gone"):
        read_torch(file.with_name("gone"))


def test_weights_that_a_full_disk_has_no_room_for_are_told_as_such(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()
    monkeypatch.setattr(Path, "open", lambda self, mode: open("/dev/full", mode))  # noqa: SIM115, PTH123
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_torch({"weight": torch.zeros(1000000)}, file)
    assert caught.value.filename == str(file)
    monkeypatch.undo()
    assert file.read_bytes() == before
