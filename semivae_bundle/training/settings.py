"""What a training is made of, as text, so that one can tell whether another goes on with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper

OURS = "semivae_bundle."
TRANSFORMS = "monai.transforms."
TOLD = 3


def settings_of(things: Mapping[str, Any]) -> dict[str, str]:
    """Name -> numbers, text, networks, objectives, schedules, transforms, to any depth: path -> text.

    A class of this package or a transform of MONAI is its name and its public attributes; of any other only the name
    counts, and a torch layer's sizes. What is learned, drawn or measured on the way (tensors, arrays, generators) has
    no part in it.
    """
    found: dict[str, str] = {}
    for name, thing in things.items():
        _describe(thing, name, found, ())
    return found


def differing(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Path -> "then THIS, now THAT", where the two are not alike; what stands on one side alone is "nothing" on the
    other.
    """
    return {
        path: f"then {then.get(path, 'nothing')}, now {now.get(path, 'nothing')}"
        for path in {**then, **now}
        if then.get(path) != now.get(path)
    }


def told(changed: Mapping[str, str]) -> str:
    """The first few of `differing` and how many more there are."""
    shown = "; ".join(f"{path}: {text}" for path, text in list(changed.items())[:TOLD])
    return f"{shown}; and {len(changed) - TOLD} more" if len(changed) > TOLD else shown


def _describe(thing: Any, path: str, found: dict[str, str], above: tuple[int, ...]) -> None:
    if isinstance(thing, CheckpointWrapper):  # remembers less of the same
        thing = thing._checkpoint_wrapped_module
    if thing is None or isinstance(thing, (bool, int, float, str)):
        found[path] = repr(thing)
    elif isinstance(thing, Mapping):
        _describe_all({f"{path}.{key}": value for key, value in thing.items()}, found, above)
    elif isinstance(thing, Sequence):
        _describe_all({f"{path}.{place}": value for place, value in enumerate(thing)}, found, above)
    elif isinstance(thing, (type, FunctionType)):
        found[path] = f"{thing.__module__}.{thing.__qualname__}"
    elif hasattr(thing, "__dict__") and not isinstance(thing, Tensor) and id(thing) not in above:
        kind = type(thing)
        found[path] = f"{kind.__module__}.{kind.__qualname__}"
        parts = dict(thing.named_children()) if isinstance(thing, nn.Module) else {}
        if kind.__module__.startswith((OURS, TRANSFORMS)):
            parts |= {name: value for name, value in vars(thing).items() if name[0] != "_" and name != "training"}
        elif isinstance(thing, nn.Module):
            found[path] += f"({thing.extra_repr()})"
        _describe_all({f"{path}.{name}": part for name, part in parts.items()}, found, (*above, id(thing)))


def _describe_all(things: Mapping[str, Any], found: dict[str, str], above: tuple[int, ...]) -> None:
    for path, thing in things.items():
        _describe(thing, path, found, above)
