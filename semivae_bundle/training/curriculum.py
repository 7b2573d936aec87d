"""Do the terms of the objective start in the order of a curriculum?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from semivae_bundle.training.schedules import Schedule

STEPS = 200
"""Looks per epoch: finer than a step of a cohort of some hundred scans."""


def first_epoch(schedules: Mapping[str, Schedule], term: str, epochs: int) -> float | None:
    """The epoch after which a term, such as `semantic_vol`, first has a weight; None if never within `epochs`.

    As in the objective, a term's scale is its family's times its own; what has no schedule is there from the start.
    Found by looking, to 1 / STEPS epoch, so that any schedule will do.
    """
    factors = [schedules[name] for name in dict.fromkeys((term.split("_")[0], term)) if name in schedules]
    for look in range(epochs * STEPS):
        # Within the look, not at its edge: a ramp is still 0 at its start.
        if all(schedule((look + 0.5) / STEPS) > 0 for schedule in factors):
            return look / STEPS
    return None


def curriculum_problems(
    schedules: Mapping[str, Schedule], weights: Mapping[str, float], order: Sequence[str], epochs: int
) -> list[str]:
    """One line per problem: each term of `order` has to weigh something, and to start within `epochs` and after the one
    before it.
    """
    if len(set(order)) < len(order) or len(order) < 2:
        return [f"curriculum: expected an order of at least two different terms, found {list(order)}"]
    starts = {term: first_epoch(schedules, term, epochs) for term in order}
    problems = [
        f"schedules: {term} never starts within {epochs} epochs; start it earlier, or take it out of the order"
        for term, start in starts.items()
        if start is None
    ]
    problems += [
        f"weights.{family}: expected more than 0 for {term} to start at all, found 0; another recipe has taken its "
        "place, leave out one of the two"
        for term in order
        if not weights.get(family := term.split("_")[0])
    ]
    begun = [(term, start) for term, start in starts.items() if start is not None]
    for (before, earlier), (term, later) in pairwise(begun):
        if later <= earlier:
            problems.append(
                f"schedules.{term}: expected to start after {before}, which starts at epoch {earlier:g}, found "
                f"{later:g}; start it later, or change the order"
            )
    return problems


def check_curriculum(
    schedules: Mapping[str, Schedule], weights: Mapping[str, float], order: Sequence[str], epochs: int
) -> None:
    """Raise ValueError with every problem of `curriculum_problems`."""
    problems = curriculum_problems(schedules, weights, order, epochs)
    if problems:
        raise ValueError("training options:\n" + "\n".join(f"  - {problem}" for problem in problems))
