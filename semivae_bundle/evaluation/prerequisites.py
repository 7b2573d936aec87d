"""What must be there before an evaluation starts; each failure says what to do.

The `..._or_exit` forms are for the run lists of configs: MONAI wraps every exception of a config in three others, which
buries its message; leaving with SystemExit prints that one line and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ignite.engine import Engine
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.checks import loading_problems
from semivae_bundle.training.weights_file import misfit_of, read_torch
from semivae_bundle.training.weights_record import require_made_of, require_trained_with


class ReportHandler(Protocol):
    """What writes the results once the evaluator is through."""

    def finish(self, engine: Engine) -> None:
        """Compute, write, print."""


def require_checkpoint(checkpoint: str | Path) -> Path:
    """The file, or a FileNotFoundError with the remedy. Asked first, before any subject is read."""
    path = Path(checkpoint)
    if not path.is_file():
        beside = sorted(file.name for file in path.parent.glob("*.pt")) if path.parent.is_dir() else []
        found = f"; beside it: {beside}" if beside else ""
        raise FileNotFoundError(f"{path}: no checkpoint{found}; run training first or pass --checkpoint FILE")
    return path


def require_fit(checkpoint: str | Path, network: nn.Module) -> None:
    """ValueError if the weights are those of another network, or of one with other options. Reads the file as MONAI's
    CheckpointLoader does: a state dict, bare or under "network".
    """
    state = read_torch(checkpoint)
    plain = network.module if isinstance(network, DistributedDataParallel) else network
    if misfit := misfit_of(state.get("network", state), plain):
        raise ValueError(
            f"{checkpoint}: not the weights of this network: {misfit}; give the recipe and the options of its training "
            "(--recipe NAME, or the recipe's file in --config_file)"
        )
    require_made_of(checkpoint, plain)


def require_weights(checkpoint: str | Path, network: nn.Module) -> Path:
    """The file, if it is there and its weights are the network's; else FileNotFoundError or ValueError."""
    path = require_checkpoint(checkpoint)
    require_fit(path, network)
    return path


def require_subjects(splits: Mapping[str, Sequence[str]], split: str, option: str = "evaluate_split") -> int:
    """Number of subjects in `split`; a ValueError that names the `option` where there is no such split or nobody in
    it.
    """
    if split not in splits:
        raise ValueError(f"{option}: expected one of {list(splits)}, found {split!r}")
    if not splits[split]:
        sizes = {name: len(subjects) for name, subjects in splits.items()}
        raise ValueError(
            f"{option} {split!r}: no subject in it (sizes: {sizes}); pass --{option} with one of the "
            "others, or index a cohort with more patients"
        )
    return len(splits[split])


def require_held_out(split: str, option: str) -> str:
    """The split's name, or a ValueError where it is the one that the network was trained on."""
    if split == "train":
        raise ValueError(
            f"{option}: expected a split that the network was not trained on, found {split!r}; on its training scans "
            "its errors are smaller than on new ones, and every interval would be too narrow"
        )
    return split


def require_loading(batch_size: object, loader_workers: object) -> None:
    """ValueError unless 1 or more scans go through the network at once, and 0 or more processes load them."""
    if problems := loading_problems(batch_size, loader_workers):
        raise ValueError(f"{'; '.join(problems)}; give such numbers, or leave them out")


def require_laid_last(evaluator: Engine, network: nn.Module, report: ReportHandler, overlay: str) -> None:
    """ValueError where another overlay, laid after `overlay`, took the evaluator's network or handlers for itself.

    It would look at a network that the checkpoint was not loaded into, as the average of a training that has not
    begun, or leave without a report.
    """
    if getattr(evaluator, "network", None) is not network or not evaluator.has_event_handler(report.finish):
        raise ValueError(
            f"--config_file: a recipe laid after {overlay} replaces the evaluator's network or handlers, as ema, "
            f"mean_teacher and reconstruction_images do for training; lay {overlay} last"
        )


def laid_last_or_exit(
    evaluator: Engine, network: nn.Module, report: ReportHandler, overlay: str, command: str = "evaluating"
) -> None:
    """`require_laid_last`, ending the command with its message."""
    try:
        require_laid_last(evaluator, network, report, overlay)
    except ValueError as error:
        raise SystemExit(f"{command}: {error}") from None


def checkpoint_or_exit(checkpoint: str | Path, network: nn.Module, command: str = "evaluating") -> Path:
    """`require_weights`, ending the command with its message."""
    try:
        return require_weights(checkpoint, network)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"{command}: {error}") from None


def normalizer_or_exit(checkpoint: str | Path, normalizer: Normalizer, command: str = "evaluating") -> None:
    """`require_trained_with`, ending the command with its message."""
    try:
        require_trained_with(checkpoint, normalizer)
    except ValueError as error:
        raise SystemExit(f"{command}: {error}") from None


def subjects_or_exit(
    splits: Mapping[str, Sequence[str]], split: str, option: str = "evaluate_split", command: str = "evaluating"
) -> int:
    """`require_subjects`, ending the command with its message."""
    try:
        return require_subjects(splits, split, option)
    except ValueError as error:
        raise SystemExit(f"{command}: {error}") from None


def loading_or_exit(batch_size: object, loader_workers: object, command: str = "evaluating") -> None:
    """`require_loading`, ending the command with its message."""
    try:
        require_loading(batch_size, loader_workers)
    except ValueError as error:
        raise SystemExit(f"{command}: {error}") from None


def held_out_or_exit(split: str, option: str, command: str) -> str:
    """`require_held_out`, ending the command with its message."""
    try:
        return require_held_out(split, option)
    except ValueError as error:
        raise SystemExit(f"{command}: {error}") from None
