"""One row per subset of the modalities: how well features are predicted and images drawn from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from semivae_bundle.data.modality_subsets import SUBSETS, subset_name
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.subset_scores import SubsetScores
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.latent_metrics import r2_per_feature

INDEX = "modalities"


def subset_table(scores: SubsetScores, normalizer: Normalizer) -> pd.DataFrame:
    """SUBSETS by columns, the subset's name as index. NaN where a figure is not defined.

    `scans`; `mean_r2`, the mean over partitions; `r2_<partition>`, the mean over its features; `r2_<feature>`, as
    metrics.json has it; `psnr_present_db` and `psnr_imputed_db`, means over scans and over the modalities that the
    network saw and did not see; `psnr_<modality>_db`.
    """
    rows = []
    for subset, predicted, psnr in zip(SUBSETS, scores.predicted, scores.psnr, strict=True):
        r2 = r2_per_feature(predicted, scores.target, scores.present)
        seen = np.array([modality in subset for modality in MODALITIES])
        of_partitions = {f"r2_{name}": _mean_of_finite(r2[columns]) for name, columns in normalizer.partitions.items()}
        rows.append(
            {
                INDEX: subset_name(subset),
                "scans": len(scores.target),
                "mean_r2": _mean_of_finite(np.array(list(of_partitions.values()))),
                **of_partitions,
                **{f"r2_{column}": value for column, value in zip(normalizer.columns, r2, strict=True)},
                "psnr_present_db": _mean_of_finite(psnr[:, seen]),
                "psnr_imputed_db": _mean_of_finite(psnr[:, ~seen]),
                **{f"psnr_{name}_db": _mean_of_finite(psnr[:, channel]) for channel, name in enumerate(MODALITIES)},
            }
        )
    return pd.DataFrame(rows).set_index(INDEX)


def subset_markdown(table: pd.DataFrame, partitions: Sequence[str], notes: Sequence[str]) -> str:
    """The main columns as a Markdown table, below the notes, one a line."""
    columns = {"mean_r2": "mean R²", **{f"r2_{name}": f"R² {name}" for name in partitions}}
    columns |= {"psnr_present_db": "PSNR present [dB]", "psnr_imputed_db": "PSNR imputed [dB]"}
    lines = ["# Subsets of the modalities", "", *(f"- {note}" for note in notes), ""]
    lines += ["| modalities | " + " | ".join(columns.values()) + " |", "| --- |" + " ---: |" * len(columns)]
    for name, row in table.iterrows():
        cells = [_cell(row[column], ".2f" if column.startswith("psnr") else ".3f") for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float, digits: str) -> str:
    return format(value, digits) if np.isfinite(value) else "-"


def _mean_of_finite(values: FloatArray) -> float:
    """A perfect reconstruction, whose PSNR is infinite, is left out, as in metrics.json."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
