"""What weights were trained on, beside them: model.pt, which others read too, can hold nothing but weights."""

from __future__ import annotations

import json
from pathlib import Path

from semivae_bundle.data.files import sha256_of_file, write_json_atomically
from semivae_bundle.features.normalizer import Normalizer

SCHEMA = "semivae-weights/1"


def write_weights_record(weights_file: str | Path, made_for: str) -> Path:
    """Write model.json beside model.pt: its hash, and `made_for`, which names cohort, split and measurement."""
    path = Path(weights_file)
    file = path.with_suffix(".json")
    write_json_atomically(file, {"schema": SCHEMA, "sha256": sha256_of_file(path), "made_for": made_for})
    return file


def require_trained_with(weights_file: str | Path, normalizer: Normalizer) -> None:
    """ValueError where the record beside the weights says that another split or other features were trained on.

    The features would be read on another scale, and the split to be evaluated may hold training patients. Weights
    without a record, or with one of other weights, pass: nothing is known of them.
    """
    path = Path(weights_file)
    file = path.with_suffix(".json")
    record = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if record.get("schema") != SCHEMA or record["sha256"] != sha256_of_file(path):
        return
    if not str(record["made_for"]).startswith(normalizer.fitted_on):
        raise ValueError(
            f"{path}: was trained with another normalizer, on another split or on other measurements; give "
            "--normalizer_file of its training, and index with its --seed; after a new index or precompute train "
            "again, or take the new scans to a folder of their own and lay the recipe shipped"
        )
