"""Are the options consistent? Asked before the first subject is read; all problems in one message."""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
) -> list[str]:
    """One line per problem: option, expected, found, remedy."""
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
    terms = [*TERMS, *extra]
    if set(weights) != set(terms):
        problems.append(f"weights: expected one for each of {terms}, found {list(weights)}")
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            problems.append(f"weights.{name}: expected a finite number >= 0, found {value}")
    if epochs < 1:
        problems.append(f"epochs: expected >= 1, found {epochs}")
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


def check_training(
    partition: Mapping[str, int],
    latent_size: int,
    free_bits: Mapping[str, float],
    weights: Mapping[str, float],
    extra: Collection[str],
    epochs: int,
    warmup_epochs: float,
    semantic_start_epoch: float,
) -> None:
    """Raise ValueError with every problem of `training_problems`."""
    problems = training_problems(
        partition, latent_size, free_bits, weights, extra, epochs, warmup_epochs, semantic_start_epoch
    )
    if problems:
        raise ValueError("training options:\n" + "\n".join(f"  - {problem}" for problem in problems))
