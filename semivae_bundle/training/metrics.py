"""Epoch metrics of training and validation as ignite metrics, under the names that are logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.metrics import Metric
from monai.utils import evenly_divisible_all_gather

from semivae_bundle.losses.kl import in_units_of_prior
from semivae_bundle.losses.objective import SemiVAELoss
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import active_units, max_correlation, r2_per_feature


class LatentMetrics(Metric):
    """sem/<partition>_r2, sem/mean_r2, diag/au_count_<partition>, semivae/corr_z_<a>_z_<b>, all from one pass.

    A unit is active if the scan makes it so: what a learned prior says about it from other partitions does not count.

    Takes (prediction, target) as the engine holds them. Over all processes, every subject once. `compute` returns the
    dict; ignite then logs each entry under its own name. `sem/mean_r2`, the mean over partitions, is what the best
    checkpoint is chosen by.
    """

    def __init__(self, partition: Mapping[str, int], features: Mapping[str, int], **kwargs: Any) -> None:
        self.partition = dict(partition)
        self.features = partition_slices(features)
        super().__init__(**kwargs)

    def reset(self) -> None:
        """Forget the last epoch."""
        self.rows: dict[str, list[torch.Tensor]] = {
            "mean": [],
            "own_mean": [],
            "features": [],
            "target": [],
            "present": [],
        }

    def update(self, output: tuple[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]) -> None:
        """Keep one batch's means and predictions."""
        prediction, target = output
        batch = {
            "mean": prediction["mean"],
            "own_mean": in_units_of_prior(prediction)[0],
            "features": prediction["features"],
            "target": target["features"],
            "present": target["present"],
        }
        for name, value in batch.items():
            self.rows[name].append(value.detach().float().cpu())

    def gathered(self) -> dict[str, np.ndarray]:
        """All subjects of the epoch, as arrays (n, ...)."""
        return {
            name: np.asarray(evenly_divisible_all_gather(torch.cat(rows)).numpy()) for name, rows in self.rows.items()
        }

    def compute(self) -> dict[str, float]:
        """The figures of the epoch."""
        rows = self.gathered()
        r2 = r2_per_feature(rows["features"], rows["target"], rows["present"])
        figures = {f"sem/{name}_r2": _nanmean(r2[part]) for name, part in self.features.items()}
        figures["sem/mean_r2"] = _nanmean(np.array(list(figures.values())))
        active = active_units(rows["own_mean"])
        for name, part in partition_slices(self.partition).items():
            figures[f"diag/au_count_{name}"] = float(active[part].sum())
        for (a, b), value in max_correlation(rows["mean"], self.partition).items():
            figures[f"semivae/corr_z_{a}_z_{b}"] = value
        return figures


class MeanR2(LatentMetrics):
    """sem/mean_r2, the mean over partitions of their R2: the one number the best checkpoint is chosen by."""

    def compute(self) -> float:  # type: ignore[override]
        """In (-inf, 1]."""
        return super().compute()["sem/mean_r2"]


class ObjectiveMetrics(Metric):
    """val_epoch/<term>: each term of the objective in evaluation mode, averaged over the subjects that it is about (the
    labelled ones, where it needs a label), and val_epoch/loss, the weighted sum of these.
    """

    def __init__(self, objective: SemiVAELoss, prefix: str, **kwargs: Any) -> None:
        self.objective = objective
        self.prefix = prefix
        super().__init__(**kwargs)

    def reset(self) -> None:
        """Forget the last epoch."""
        self.sums: dict[str, float] = {}
        self.subjects: dict[str, int] = {}

    def update(self, output: tuple[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]) -> None:
        """Add one batch, each term weighted by the subjects that it is the average of."""
        prediction, target = output
        training = self.objective.training
        self.objective.eval()
        with torch.no_grad():
            self.objective(prediction, target)
        self.objective.train(training)
        counts = self.objective.averaged_over(target)
        for name, value in self.objective.terms.items():
            self.subjects[name] = self.subjects.get(name, 0) + counts[name]
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * counts[name]

    def compute(self) -> dict[str, float]:
        """Averages over the subjects of all processes, under prefixed names."""
        names = list(self.sums)
        own = [[self.subjects[name] for name in names], [self.sums[name] for name in names]]
        subjects, totals = idist.all_reduce(torch.tensor(own, dtype=torch.float64, device=idist.device())).tolist()
        means = {name: total / max(n, 1) for name, n, total in zip(names, subjects, totals, strict=True)}
        loss = sum(self.objective.weight_of(name) * mean for name, mean in means.items())
        return {f"{self.prefix}/{name}": value for name, value in {"loss": loss, **means}.items()}


def prediction_and_target(output: Any) -> tuple[Any, Any]:
    """The engine's output -> (network output, targets): the `output_transform` of the metrics above."""
    return output["pred"], output["label"]


def _nanmean(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")
