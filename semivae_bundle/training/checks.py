"""Are the options consistent? Asked before the first subject is read; all problems in one message."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from semivae_bundle.data.wording import not_whole

TERMS = ("reconstruction", "kl", "semantic", "tumour", "independence")  # besides the objective's extra ones
MAX_FREE_BITS = 5.0


def training_problems(
    partition: Mapping[str, int],
    latent_size: int,
    free_bits: Mapping[str, float],
    weights: Mapping[str, float],
    extra: Collection[str],
    epochs: int,
    warmup_epochs: float,
    semantic_start_epoch: float,
    batch_size: int,
    val_interval: int,
    loader_workers: int,
    learning_rate: float,
) -> list[str]:
    """One line per problem: option, expected, found, remedy."""
    return [
        *latent_problems(partition, latent_size, free_bits),
        *weight_problems(weights, extra),
        *epoch_problems(epochs, warmup_epochs, semantic_start_epoch, val_interval),
        *loading_problems(batch_size, loader_workers),
        *([] if _is_above_0(learning_rate) else [f"learning_rate: expected a number > 0, found {learning_rate!r}"]),
    ]


def latent_problems(partition: Mapping[str, int], latent_size: int, free_bits: Mapping[str, float]) -> list[str]:
    """Of the latent space's parts and what each may say for free."""
    problems = []
    total = sum(partition.values())
    if total != latent_size:
        problems.append(
            f"partition: sizes must add up to latent_size {latent_size}, found {total} from {dict(partition)}"
        )
    if set(free_bits) != set(partition):
        problems.append(f"free_bits: expected one value for each of {list(partition)}, found {list(free_bits)}")
    for name, value in free_bits.items():
        if not 0 <= value <= MAX_FREE_BITS:
            problems.append(f"free_bits.{name}: expected 0 to {MAX_FREE_BITS:g} nats per dimension, found {value}")
    return problems


def weight_problems(weights: Mapping[str, float], extra: Collection[str]) -> list[str]:
    """Of the objective's terms."""
    problems = []
    terms = [*TERMS, *extra]
    if set(weights) != set(terms):
        problems.append(f"weights: expected one for each of {terms}, found {list(weights)}")
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            problems.append(f"weights.{name}: expected a finite number >= 0, found {value}")
    return problems


def epoch_problems(epochs: int, warmup_epochs: float, semantic_start_epoch: float, val_interval: int) -> list[str]:
    """Of what happens in which epoch; of wrong numbers of epochs alone, where the rest would only follow from them."""
    problems = [*filter(None, [not_whole("epochs", epochs, 1), not_whole("val_interval", val_interval, 1)])]
    if problems:
        return problems
    if val_interval > epochs:
        problems.append(
            f"val_interval: expected at most epochs {epochs}, found {val_interval}; "
            "the network would never be validated, so none would be the best"
        )
    if semantic_start_epoch <= warmup_epochs:
        problems.append(
            f"semantic_start_epoch: expected more than warmup_epochs {warmup_epochs}, found {semantic_start_epoch}; "
            "the decoder has to draw something before the features are asked for"
        )
    if semantic_start_epoch >= epochs:
        problems.append(
            f"semantic_start_epoch: expected less than epochs {epochs}, found {semantic_start_epoch}; "
            "the features would never be trained"
        )
    return problems


def loading_problems(batch_size: object, loader_workers: object) -> list[str]:
    """Of how many scans go through the network at once, and how many processes load them."""
    return [*filter(None, [not_whole("batch_size", batch_size, 1), not_whole("loader_workers", loader_workers, 0)])]


def check_training(**options: Any) -> None:
    """Raise ValueError with every problem of `training_problems`, whose arguments these are."""
    if problems := training_problems(**options):
        raise ValueError("training options:\n" + "\n".join(f"  - {problem}" for problem in problems))


def _is_above_0(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
