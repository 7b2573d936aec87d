"""Probes: what a regressor reads from an input, on patients that it wasn't fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.factor_table import FactorTable
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import active_units, r2_per_feature

RIDGE_PENALTIES = np.logspace(-1, 4, 6)


def probe_models(options: LatentOptions) -> dict[str, RegressorMixin]:
    """A straight reading and one of any form: ridge, its penalty by leave-one-out, and small boosted trees."""
    return {
        "ridge": RidgeCV(alphas=RIDGE_PENALTIES),
        "boosted": HistGradientBoostingRegressor(
            max_iter=options.trees,
            learning_rate=0.15,
            max_leaf_nodes=8,
            min_samples_leaf=10,
            max_bins=32,
            early_stopping=False,
            random_state=options.seed,
        ),
    }


def held_out_r2(
    model: RegressorMixin, inputs: FloatArray, target: FloatArray, patients: Sequence[str], *, folds: int
) -> float:
    """R² of predictions from models fitted without the patient: (n, D), (n,), (n) -> at most 1.

    Subjects whose target is NaN don't count. All scans of a patient fall in one fold. Below 0 where the reading is
    worse than the mean; 0 without any input, NaN for fewer patients than folds.
    """
    known = np.isfinite(target)
    x, y, owner = inputs[known], target[known], np.array(patients)[known]
    if len(set(owner)) < folds:
        return float("nan")
    if not x.shape[1]:
        return 0.0
    predicted = np.empty_like(y)
    for fitted, left in GroupKFold(folds).split(x, y, owner):
        predicted[left] = clone(model).fit(x[fitted], y[fitted]).predict(x[left])
    return float(r2_per_feature(predicted[:, None], y[:, None], np.ones((len(y), 1)))[0])


def standardised(codes: FloatArray) -> FloatArray:
    """Codes with mean 0 and variance 1, those that are not active 0: (n, L) -> (n, L).

    Scaled up, a dimension that barely moves counts as much as any: so does what it gives away.
    """
    active = active_units(codes)
    return (codes - codes.mean(axis=0)) / np.where(active, codes.std(axis=0), 1) * active


def probe_partitions(
    codes: FloatArray,
    factors: FactorTable,
    partition: Mapping[str, int],
    patients: Sequence[str],
    options: LatentOptions,
) -> dict[str, FloatArray]:
    """Held-out R² of each factor read from each partition's codes (n, L), per model: (partitions, K)."""
    active, scaled = active_units(codes), standardised(codes)
    inputs = [scaled[:, part][:, active[part]] for part in partition_slices(partition).values()]
    return {
        name: np.array(
            [[held_out_r2(model, x, y, patients, folds=options.folds) for y in factors.values.T] for x in inputs]
        )
        for name, model in probe_models(options).items()
    }


def readable(r2: Mapping[str, FloatArray]) -> FloatArray:
    """The better of the models, at least 0: (partitions, K) each -> (partitions, K)."""
    return np.maximum(np.max(list(r2.values()), axis=0), 0)
