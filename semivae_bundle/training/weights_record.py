"""What weights were trained on and as what, beside them: model.pt, which others read too, holds nothing but weights."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from semivae_bundle.data.files import read_record, sha256_of_file, write_json_atomically
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.settings import differing, settings_of, told
from semivae_bundle.training.weights_file import read_torch

logger = logging.getLogger(__name__)

SCHEMA = "semivae-weights/1"
STATE = "last.pt"
NORMALIZER = "normalizer.json"  # beside the weights: the one of their training
ROOT = "network"
# The network is the same on another grid, and reads its outlines a little otherwise.
GRID = re.compile(r"\.atlas\.size\.\d$")
# What training alone looks at, and networks of others, whose insides their releases rename; a fingerprint knows those.
FREE = re.compile(r"\.momentum$|\.extractor\.module\.network")
# What PyTorch says of a layer by name, such as eps=1e-05, which changes with its release; sizes and groups come before.
NAMED_OPTIONS = re.compile(r",?\s*\w+=.*(?=\)$)")


def write_weights_record(
    weights_file: str | Path, made_for: str, made_of: Mapping[str, str], made_from: str | None = None
) -> Path:
    """Write model.json beside model.pt: its hash; `made_for`, which names cohort, split and measurement; `made_of`,
    the options of the network (`options_of`), of which many leave no trace in the weights; and `made_from`, the hash of
    the weights that these are a smaller copy of.
    """
    path = Path(weights_file)
    file = path.with_suffix(".json")
    content = {"schema": SCHEMA, "sha256": sha256_of_file(path), "made_for": made_for, "made_of": dict(made_of)}
    write_json_atomically(file, content if made_from is None else content | {"made_from": made_from})
    return file


def are_same_weights(weights_file: str | Path, trained_file: str | Path) -> bool:
    """Whether the first are those of the second, or made from them, as the record beside them says."""
    first, second = Path(weights_file), Path(trained_file)
    if not (first.is_file() and second.is_file()):
        return False
    return sha256_of_file(second) in (sha256_of_file(first), _record_of(first).get("made_from"))


def options_of(network: nn.Module) -> dict[str, str]:
    """`settings_of` the network, but for the root's own class: inference has a subclass of what is trained."""
    return _options(settings_of({ROOT: network}))


def require_made_of(weights_file: str | Path, network: nn.Module) -> None:
    """ValueError where the record beside the weights says that the network was trained with other options.

    They may load all the same, such as those of other groups of the norm, and would compute something else. An option
    that one side alone has, as of another release, does not count. Another grid is a warning. Weights without a record,
    or with one of other weights, pass.
    """
    then, now = _record_of(weights_file).get("made_of", {}), options_of(network)
    changed = differing(*({path: one[path] for path in now if path in then} for one in (then, now)))
    grid = [changed.pop(path) for path in list(changed) if GRID.search(path)]
    if changed:
        raise ValueError(
            f"{weights_file}: its network was trained with other options: {told(changed)}; lay the same recipes and "
            "give the same options of the network as in its training"
        )
    if grid:
        logger.warning("%s: trained on another roi_size, sides in voxels %s; its shapes shift", weights_file, grid)


def require_trained_with(weights_file: str | Path, normalizer: Normalizer) -> None:
    """ValueError where the record beside the weights says that another split or other features were trained on.

    The features would be read on another scale, and the split to be evaluated may hold training patients. Weights
    without a record, or with one of other weights, pass with a warning: nothing is known of them. So does a training's
    last.pt, whose best network is another file.
    """
    record = _record_of(weights_file)
    if not record:
        logger.warning(
            "%s: no model.json of these weights beside it, so nothing tells whether the normalizer and the network's "
            "options are those of its training; copy it along with the weights",
            weights_file,
        )
        return
    if not _is_of(record, normalizer):
        kept = Path(weights_file).with_name(NORMALIZER)
        own = f"{kept}, that" if kept.is_file() and _is_of(record, Normalizer.from_json(kept)) else "that"
        raise ValueError(
            f"{Path(weights_file)}: was trained with another normalizer, on another split or on other measurements; to "
            f"infer give --normalizer_file {own} of its training; to evaluate index with its --seed, and after a new "
            "index or precompute train again, or take the new scans to a folder of their own and lay the recipe "
            f"shipped, with --checkpoint_dir {kept.parent} and that normalizer"
        )
    if record["schema"] == STATE:
        logger.warning("%s: where a training stands; its best network is model.pt beside it", weights_file)


def _options(described: Mapping[str, str]) -> dict[str, str]:
    """Of a description of the network (`settings_of`), what loading it must meet again."""
    return {
        path: NAMED_OPTIONS.sub("", text) if text.startswith("torch.") else text
        for path, text in described.items()
        if path.startswith(f"{ROOT}.") and not FREE.search(path)
    }


def _is_of(record: Mapping[str, Any], normalizer: Normalizer) -> bool:
    return str(record["made_for"]).startswith(normalizer.fitted_on)


def _record_of(weights_file: str | Path) -> dict[str, Any]:
    """What model.json says, or a training's last.pt of itself; empty where there is neither, or it is of other
    weights. ValueError for a damaged one.
    """
    path = Path(weights_file)
    file = path.with_suffix(".json")
    record = read_record(file, f"copy it again from beside {path.name} of the training") if file.is_file() else {}
    if record.get("schema") == SCHEMA and record["sha256"] == sha256_of_file(path):
        return record
    try:
        state = read_torch(path)
    except ValueError:  # no file of torch.save: whoever loads it says so
        return {}
    if "made_for" in state and "settings" in state:
        return {"schema": STATE, "made_for": state["made_for"], "made_of": _options(state["settings"])}
    return {}
