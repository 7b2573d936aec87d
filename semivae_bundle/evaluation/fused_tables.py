"""The encodings of one model per modality -> one table of latents, fused features, and what the fusion is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semivae_bundle import __version__
from semivae_bundle.data.files import atomic_path, write_json_atomically
from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.encoding import MEASURED, PREDICTED, WHO
from semivae_bundle.evaluation.fusion import FORMULA, fuse, precision_weights
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.latent_metrics import r2_per_feature

SCHEMA = "semivae-fusion/1"
FUSED = "fused"


@dataclass(frozen=True)
class Encodings:
    """What M models make of the same n scans: `who` (n rows by subject) they are, `latents` of each model (n, L),
    `predicted` (M, n, F) and `measured` (n, F), in the normalizer's units, NaN where absent.
    """

    models: tuple[str, ...]
    columns: tuple[str, ...]
    who: pd.DataFrame
    latents: Mapping[str, pd.DataFrame]
    predicted: FloatArray
    measured: FloatArray

    def of_split(self, split: str) -> tuple[FloatArray, FloatArray]:
        """`predicted` and `measured` of one split."""
        rows = (self.who["split"] == split).to_numpy()
        return self.predicted[:, rows], self.measured[rows]


def read_encodings(files: Mapping[str, Path]) -> Encodings:
    """Model -> what `write_encodings` wrote; raises where they are not of the same scans, splits and measurements."""
    tables = {
        name: pd.read_csv(
            file, dtype=dict.fromkeys(("subject", *WHO), str), keep_default_na=False, na_values=[""]
        ).set_index("subject")
        for name, file in files.items()
    }
    (first, table), *others = tables.items()
    numbers = [str(name) for name in table.columns if name not in WHO]
    common = [*WHO, *(name for name in numbers if name.startswith(MEASURED))]
    for name, other in others:
        if list(other.columns) != list(table.columns) or not other[common].equals(table[common]):
            raise ValueError(
                f"{files[name]}: expected the subjects, splits, columns and measurements of {files[first]}, found "
                "others; remove the folders of both and train them again"
            )
    columns = [name.removeprefix(MEASURED) for name in common if name.startswith(MEASURED)]
    latents = [name for name in numbers if not name.startswith((MEASURED, PREDICTED))]
    return Encodings(
        models=tuple(tables),
        columns=tuple(columns),
        who=table[list(WHO)],
        latents={name: one[latents] for name, one in tables.items()},
        predicted=np.stack([one[[PREDICTED + column for column in columns]].to_numpy() for one in tables.values()]),
        measured=table[[MEASURED + column for column in columns]].to_numpy(),
    )


def write_fusion(encodings: Encodings, normalizer: Normalizer, folder: Path) -> dict[str, Any]:
    """Write latents.csv, features.csv and fusion.json below `folder`; returns the last one's content.

    latents.csv: subject, patient, visit, date, split, then <model>_<latent>. features.csv: the fused features in
    physical units. fusion.json: formula, weights, R² of every model and of the fusion per split and feature.
    """
    if encodings.columns != normalizer.columns:
        raise ValueError(
            f"fusion: expected the features {normalizer.columns} of the normalizer, found {encodings.columns}; fuse "
            "with the normalizer that the models were trained with"
        )
    weights = precision_weights(*encodings.of_split("validation"))
    latents = [table.add_prefix(f"{name}_") for name, table in encodings.latents.items()]
    subjects = list(encodings.who.index)
    features = normalizer.possible_table(fuse(encodings.predicted, weights), subjects)
    for name, parts in (("latents", latents), ("features", [features])):
        with atomic_path(folder / f"{name}.csv") as part:
            pd.concat([encodings.who, *parts], axis=1).to_csv(part, float_format="%.9g")
    content = {
        "schema": SCHEMA,
        "package_version": __version__,
        "formula": FORMULA,
        "weights": _by_feature(encodings, encodings.models, weights),
        "subjects": {split: _counts(encodings, split) for split in ("validation", "test")},
        "r2": {split: _r2(encodings, weights, split) for split in ("validation", "test")},
    }
    write_json_atomically(folder / "fusion.json", plain(content))
    return content


def r2_table(content: Mapping[str, Any], split: str) -> pd.DataFrame:
    """R² of one split of fusion.json: a row per feature, their mean last, a column per model and the fusion."""
    table = pd.DataFrame.from_dict(content["r2"][split], orient="index").astype(float)
    table.loc["mean"] = table.mean()
    return table


def _r2(encodings: Encodings, weights: FloatArray, split: str) -> dict[str, dict[str, float]]:
    """Feature -> model or fusion -> R² over the subjects of the split that have it, NaN where fewer than three do."""
    predicted, measured = encodings.of_split(split)
    present = np.isfinite(measured)
    everyone = [*predicted, fuse(predicted, weights)]
    found = np.stack([r2_per_feature(one, np.where(present, measured, 0.0), present) for one in everyone])
    return _by_feature(encodings, (*encodings.models, FUSED), found)


def _by_feature(encodings: Encodings, names: tuple[str, ...], values: FloatArray) -> dict[str, dict[str, float]]:
    """(len(names), F) -> feature -> name -> value."""
    return {column: dict(zip(names, values[:, f].tolist(), strict=True)) for f, column in enumerate(encodings.columns)}


def _counts(encodings: Encodings, split: str) -> dict[str, int]:
    """Feature -> how many subjects of the split have it."""
    measured = encodings.of_split(split)[1]
    return dict(zip(encodings.columns, np.isfinite(measured).sum(axis=0).tolist(), strict=True))
