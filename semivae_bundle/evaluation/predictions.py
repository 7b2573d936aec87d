"""One row per subject: measured and predicted values in physical units, image and tumour-map figures, latents."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.networks.partition import partition_slices


def measured_and_predicted(results: Results, normalizer: Normalizer) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features in physical units, the unit in the column name: (n, F) each. Measured values that are absent are NaN.

    Predictions are as the heads say them, even where that cannot occur: `compare` takes its R² from them.
    """
    measured = normalizer.physical_table(results.target, results.subjects).where(results.present)
    return measured, normalizer.physical_table(results.predicted, results.subjects)


def latent_columns(partition: Mapping[str, int]) -> list[str]:
    """A name per latent dimension, e.g. `vol_00`, `residual_75`."""
    return [
        f"{name}_{number:02d}"
        for name, part in partition_slices(partition).items()
        for number in range(part.stop - part.start)
    ]


def predictions_table(results: Results, normalizer: Normalizer, partition: Mapping[str, int]) -> pd.DataFrame:
    """Everything known of each subject; an empty cell is a value that does not exist.

    patient, labelled; measured_<feature>_<unit> beside predicted_<feature>_<unit>; the scores; mean_<partition>_<i> and
    log_var_<partition>_<i>, the posterior.
    """
    index = pd.Index(results.subjects, name="subject")
    who = pd.DataFrame({"patient": results.patients, "labelled": results.labelled.astype(int)}, index=index)
    measured, predicted = measured_and_predicted(results, normalizer)
    features: dict[str, pd.Series] = {}
    for column in measured.columns:
        features |= {f"measured_{column}": measured[column], f"predicted_{column}": predicted[column]}
    names = latent_columns(partition)
    mean = pd.DataFrame(results.mean, columns=[f"mean_{name}" for name in names], index=index)
    log_var = pd.DataFrame(results.log_var, columns=[f"log_var_{name}" for name in names], index=index)
    return pd.concat([who, pd.DataFrame(features), results.scores, mean, log_var], axis="columns")
