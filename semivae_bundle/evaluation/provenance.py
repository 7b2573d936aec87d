"""Which code, weights, subjects and settings made a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import monai
import torch

from semivae_bundle import __version__
from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.data.splits import split_hash
from semivae_bundle.training.weights_record import are_same_weights


def checkpoint_record(checkpoint: Path) -> dict[str, str | None]:
    """Name and SHA-256 of a checkpoint (as `sha256sum` prints it); None for the hash where there is no file, as in
    federated learning, where the weights come from the server.
    """
    digest = sha256_of_file(checkpoint) if checkpoint.is_file() else None
    return {"file": f"{checkpoint.parent.name}/{checkpoint.name}", "sha256": digest}


def provenance_record(
    checkpoint: str | Path,
    split: str,
    splits: Mapping[str, Sequence[str]],
    settings: Mapping[str, Any],
    seed: int,
    trained: str | Path | None = None,
) -> dict[str, Any]:
    """What one needs to repeat an evaluation. Holds no path of the machine, so that it can be shared.

    `trained`: the weights that the training in this folder left; `trained_here` says whether the checkpoint is of it.
    """
    return {
        "package_version": __version__,
        "monai_version": monai.__version__,
        "torch_version": torch.__version__,
        "checkpoint": checkpoint_record(Path(checkpoint)),
        "trained_here": trained is not None and are_same_weights(checkpoint, trained),
        "split": split,
        "split_sha256": split_hash(splits),
        "seed": seed,
        "settings": dict(settings),
    }
