"""Results -> the content of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.bootstrap import METHOD, Estimate, FloatArray, mean_estimate, patient_resamples
from semivae_bundle.evaluation.conformal import check_level
from semivae_bundle.evaluation.image_quality import RANGE_STATEMENT
from semivae_bundle.evaluation.independence import independence
from semivae_bundle.evaluation.latent_coverage import latent_coverage
from semivae_bundle.evaluation.latent_independence import kl_per_partition
from semivae_bundle.evaluation.latent_intervals import latent_intervals
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.latent_report import factor_sections
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.predictions import measured_and_predicted
from semivae_bundle.evaluation.regression import (
    mae_estimate,
    mean_r2_estimate,
    pearson_estimate,
    pooled_r2,
    r2_estimates,
)
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import REGION_LABELS, feature_of
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import active_units

SCHEMA = "semivae-metrics/1"
IMAGE_FIGURES = (
    *(
        f"{figure}_brain{unit}"
        for figure, unit in (("psnr", "_db"), ("ssim", ""), ("ms_ssim", ""), ("psnr_gain", "_db"))
    ),
    *(f"{figure}_tumour{unit}" for figure, unit in (("psnr", "_db"), ("ssim", ""), ("psnr_gain", "_db"))),
    "sharpness_tumour",
)


@dataclass(frozen=True)
class Intervals:
    """How intervals and chance levels are drawn."""

    level: float
    resamples: int
    permutations: int
    seed: int

    def __post_init__(self) -> None:
        check_level(self.level, "--intervals#level")
        if min(self.resamples, self.permutations) < 1:
            raise ValueError(
                "intervals: expected resamples and permutations >= 1, found "
                f"--intervals#resamples {self.resamples}, --intervals#permutations {self.permutations}"
            )


def metrics_report(
    results: Results,
    normalizer: Normalizer,
    partition: Mapping[str, int],
    intervals: Intervals,
    provenance: Mapping[str, Any],
    latent: LatentOptions,
    generating: pd.DataFrame | None,
) -> dict[str, Any]:
    """Everything in metrics.json, as plain numbers; a figure that does not exist is None.

    R² and Pearson are computed on the targets that the network learned (normalised; without their regression where the
    normalizer takes one away), absolute errors in the table's and in physical units. `latent`: how the code is
    judged; `generating`: the table of what phantoms were made from, if there is one.
    """
    counts = patient_resamples(results.patients, intervals.resamples, intervals.seed)
    features, partitions_r2, mean_r2 = _feature_section(results, normalizer, counts, intervals.level)
    report = {
        "schema": SCHEMA,
        "provenance": provenance,
        "subjects": {
            "evaluated": len(results.subjects),
            "labelled": int(results.labelled.sum()),
            "patients": len(set(results.patients)),
        },
        "intervals": {
            "method": METHOD,
            "level": intervals.level,
            "resamples": intervals.resamples,
            "seed": intervals.seed,
        },
        "mean_r2": mean_r2,
        "features": features,
        "partitions": _partition_section(results, partition, partitions_r2),
        "independence": independence(
            results.mean, partition, results.patients, intervals.permutations, intervals.seed, latent
        ),
        "latent_intervals": latent_intervals(
            results.mean, results.own_mean, results.patients, partition, counts, intervals.level
        ),
        "coverage_of_latent_space": latent_coverage(results.mean, results.log_var, partition, results.patients, latent),
        **factor_sections(results, normalizer, partition, generating, latent),
        "image": _image_section(results, counts, intervals.level),
        "tumour_map": _tumour_section(results, counts, intervals.level),
        "for_comparison": {"r2_pooled_over_features": _pooled(results, normalizer)},
    }
    return dict(plain(report))


def _feature_section(
    results: Results, normalizer: Normalizer, counts: FloatArray, level: float
) -> tuple[dict[str, Any], dict[str, Estimate], Estimate]:
    """Per feature; mean R² per partition; mean of those means."""
    r2, resampled = r2_estimates(results.predicted, results.target, results.present, counts, level)
    measured, predicted = measured_and_predicted(results, normalizer)
    table_error = normalizer.inverse(results.predicted) - normalizer.inverse(results.target)
    section = {}
    for f, scale in enumerate(normalizer.scales):
        feature, present = feature_of(scale.column), results.present[:, f]
        y, y_hat = (table.iloc[:, f].to_numpy(dtype=np.float64) for table in (measured, predicted))
        in_table_unit = mean_estimate(np.where(present, np.abs(table_error[:, f]), np.nan), counts, level)
        section[scale.column] = {
            "partition": scale.partition,
            "subjects": int(present.sum()),
            "r2": r2[f],
            "pearson": pearson_estimate(results.predicted[:, f], results.target[:, f], present, counts, level),
            "mae": {"unit": feature.physical_unit or "1", **plain(mae_estimate(y_hat, y, counts, level))},
            "mae_table": {"unit": feature.unit, **plain(in_table_unit)},
            "residualised_on": scale.regressor,
        }
    per_partition, per_partition_resampled = {}, []
    for name, columns in normalizer.partitions.items():
        per_partition[name] = mean_r2_estimate([r2[f] for f in columns], resampled[:, columns], level)
        per_partition_resampled.append(_mean_of_defined(r2, resampled, columns))
    overall = mean_r2_estimate(list(per_partition.values()), np.stack(per_partition_resampled, axis=1), level)
    return section, per_partition, overall


def _mean_of_defined(r2: list[Estimate], resampled: FloatArray, columns: list[int]) -> FloatArray:
    defined = [f for f in columns if np.isfinite(r2[f].value)]
    return resampled[:, defined].mean(axis=1) if defined else np.full(len(resampled), np.nan)


def _pooled(results: Results, normalizer: Normalizer) -> dict[str, float]:
    """Pooled R² per partition, in the table's units, as the literature's figures are."""
    y, y_hat = normalizer.inverse(results.target), normalizer.inverse(results.predicted)
    figures = {}
    for name, columns in normalizer.partitions.items():
        figures[name] = pooled_r2(y_hat[:, columns], y[:, columns], results.present[:, columns])
    return figures


def _partition_section(
    results: Results, partition: Mapping[str, int], mean_r2: Mapping[str, Estimate]
) -> dict[str, dict[str, Any]]:
    active, kl = active_units(results.own_mean), kl_per_partition(results.own_mean, results.own_log_var, partition)
    return {
        name: {
            "dimensions": part.stop - part.start,
            "active_units": int(active[part].sum()),
            "active_fraction": float(active[part].mean()),
            "kl_nats": kl[name],
            "mean_r2": mean_r2.get(name),
        }
        for name, part in partition_slices(partition).items()
    }


def _image_section(results: Results, counts: FloatArray, level: float) -> dict[str, Any]:
    def figure(name: str) -> Estimate:
        return mean_estimate(results.scores[name].to_numpy(dtype=np.float64), counts, level)

    per_modality = {modality: {name: figure(f"{modality}_{name}") for name in IMAGE_FIGURES} for modality in MODALITIES}
    return {
        "data_range": RANGE_STATEMENT,
        "psnr_gain": "PSNR of the reconstruction minus PSNR of the image decoded from the zero code",
        "sharpness": "mean squared gradient of the reconstruction over that of the input, in the tumour; 1 is as sharp",
        **per_modality,
    }


def _tumour_section(results: Results, counts: FloatArray, level: float) -> dict[str, Any]:
    """Of the map decoded from the code, and of the encoder's `segmentation`, from which the features are read."""
    return {
        **_map_section(results, counts, level, dice="dice", volume="decoded_vol"),
        "segmentation": _map_section(results, counts, level, dice="seen_dice", volume="seen_vol"),
    }


def _map_section(results: Results, counts: FloatArray, level: float, *, dice: str, volume: str) -> dict[str, Any]:
    """Overlap and volumes of the map whose scores have these names."""

    def column(name: str) -> FloatArray:
        return results.scores[name].to_numpy(dtype=np.float64)

    volumes = {}
    for region in REGION_LABELS:
        found, measured = column(f"{volume}_{region}_mm3"), column(f"mask_vol_{region}_mm3")
        present = measured > 0
        ln_found, ln_measured = np.log1p(found), np.log1p(measured)
        volumes[region] = {
            "r2_ln": r2_estimates(ln_found[:, None], ln_measured[:, None], present[:, None], counts, level)[0][0],
            "pearson_ln": pearson_estimate(ln_found, ln_measured, present, counts, level),
            "mean_ln_ratio": mean_estimate(np.where(present, ln_found - ln_measured, np.nan), counts, level),
            "mae_mm3": mean_estimate(np.where(present, np.abs(found - measured), np.nan), counts, level),
        }
    return {
        "dice": {region: mean_estimate(column(f"{dice}_{region}"), counts, level) for region in REGION_LABELS},
        "volume": volumes,
    }
