"""A file of weights: there, the one that is meant, and read without executing anything in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semivae_bundle.data.files import atomic_path, sha256_of_file
from semivae_bundle.data.flags import read_flags


@dataclass(frozen=True)
class WeightsFile:
    """A local file and the SHA-256 that it must have.

    With `allow_download` a missing `file` is fetched from `url` once, and kept only if its hash is right; otherwise
    nothing touches the network.
    """

    file: str | Path | None
    sha256: str | None
    url: str | None
    allow_download: bool | str

    def path(self) -> Path:
        """The file. FileNotFoundError where there is none, ValueError for no hash or for another one."""
        allowed = read_flags(allow_download=self.allow_download)["allow_download"]
        file = None if self.file is None else Path(self.file)
        if file is not None and not file.is_file() and allowed and self.url and self.sha256:
            file.parent.mkdir(parents=True, exist_ok=True)
            # It writes beside the file and moves it there once the hash is right.
            torch.hub.download_url_to_file(self.url, str(file), hash_prefix=self.sha256.lower(), progress=False)
        if file is None or not file.is_file():
            raise FileNotFoundError(
                f"extractor: expected a local file of weights, found {file}; fetch it and pass --extractor_weights "
                "FILE, or give extractor_weights, extractor_url, extractor_sha256 and --allow_download true"
            )
        if self.sha256 is None:
            raise ValueError(
                f"{file}: expected the SHA-256 of the weights, found none; if they are what you want, pass "
                f"--extractor_sha256 {sha256_of_file(file)}"
            )
        check_sha256(file, self.sha256)
        return file


def check_sha256(file: str | Path, expected: str) -> None:
    """Raise ValueError unless `file` has the hash that `sha256sum` prints."""
    found = sha256_of_file(file)
    if found != expected.lower():
        raise ValueError(f"{file}: expected SHA-256 {expected}, found {found}; it is another file, or damaged")


def read_state(file: str | Path) -> dict[str, Tensor]:
    """Tensors by name, without the "module." of data-parallel training.

    A .safetensors file, or a state dict as torch.save writes it, bare or under "state_dict", "model" or "network".
    ValueError for anything else.
    """
    state: dict[str, Any] = _read_safetensors(file) if Path(file).suffix == ".safetensors" else read_torch(file)
    for entry in ("state_dict", "model", "network"):
        if isinstance(state.get(entry), Mapping):
            state = state[entry]
    other = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if other or not state:
        raise ValueError(
            f"{file}: expected tensors by name, or those under 'state_dict', 'model' or 'network', found "
            f"{list(state)[:5]}; save the network's state_dict() by itself"
        )
    return {name.removeprefix("module."): value for name, value in state.items()}


def misfit_of(state: Mapping[str, Tensor], network: nn.Module) -> str | None:
    """What keeps `state` from being the network's, in a line where PyTorch names every tensor; None if it fits."""
    expected = network.state_dict()
    wrong = [name for name in expected if name not in state or state[name].shape != expected[name].shape]
    unknown = [name for name in state if name not in expected]
    if not wrong and not unknown:
        return None
    name = (wrong or unknown)[0]
    shapes = [tuple(tensors[name].shape) if name in tensors else "nothing" for tensors in (expected, state)]
    return (
        f"{len(wrong)} of its {len(expected)} tensors are missing or have another shape, and {len(unknown)} are "
        f"unknown; {name}: expected {shapes[0]}, found {shapes[1]}"
    )


def read_torch(file: str | Path) -> dict[str, Any]:
    """What torch.save wrote, if it is tensors and plain values; ValueError for anything else."""
    with Path(file).open("rb") as stream:
        try:
            state = torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # text taken for a pickle may end in any
            raise ValueError(
                f"{file}: expected a file of torch.save with nothing but tensors and plain values, which is all that "
                "is read; if it is damaged, copy it again; if not, save the network's state_dict() by itself, where "
                "you trust the file"
            ) from error
    if not isinstance(state, Mapping):
        raise ValueError(f"{file}: expected a state dict, found {type(state).__name__}")
    return dict(state)


def save_torch(content: Mapping[str, Any], file: str | Path) -> None:
    """What `read_torch` reads, whole or not at all."""
    # Through a stream, so that a full disk says so: given a path, torch.save ends in positions that differ.
    with atomic_path(file) as part, part.open("wb") as stream:
        torch.save(content, stream)


def _read_safetensors(file: str | Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(f"{file}: needs safetensors; pip install -c constraints.txt -e '.[dinov2]'") from error
    try:
        state: dict[str, Any] = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{file}: expected a .safetensors file: {error}") from error
    return state
