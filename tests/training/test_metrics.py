"""The epoch's metrics on an engine, under the names that are logged."""

import math
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from torch import Tensor, nn

from semivae_bundle.losses.objective import SemiVAELoss
from semivae_bundle.training.latent_metrics import r2_per_feature
from semivae_bundle.training.metrics import LatentMetrics, MeanR2, ObjectiveMetrics, prediction_and_target

PARTITION = {"vol": 2, "loc": 1, "shape": 2, "residual": 3}
FEATURES = {"vol": 2, "loc": 1, "shape": 1}

Batch = dict[str, dict[str, Tensor]]


def batches(labelled: bool = True) -> list[Batch]:
    """Batches of unequal size, as the last of an epoch is."""
    generator = torch.Generator().manual_seed(0)
    result = []
    for size in (4, 4, 1):
        target = torch.randn(size, 4, generator=generator)
        noise = 0.5 * torch.randn(size, 4, generator=generator)
        mean = torch.randn(size, 8, generator=generator)
        pred = {"mean": mean, "log_var": torch.zeros(size, 8), "features": target + noise}
        label = {"features": target, "present": torch.full((size, 4), labelled), "image": torch.zeros(size, 1)}
        result.append({"pred": pred, "label": label})
    return result


def evaluate(metric: MeanR2 | LatentMetrics | ObjectiveMetrics, data: list[Batch]) -> dict[str, float]:
    engine = Engine(lambda engine, batch: batch)
    metric.attach(engine, "figures")
    engine.run(data)
    return engine.state.metrics


def test_the_names_are_exactly_those_that_are_logged() -> None:
    metrics = evaluate(LatentMetrics(PARTITION, FEATURES, output_transform=prediction_and_target), batches())
    names = {name for name in metrics if "/" in name}
    assert names >= {"sem/vol_r2", "sem/loc_r2", "sem/shape_r2", "sem/mean_r2", "diag/au_count_residual"}
    assert names >= {"semivae/corr_z_vol_z_residual", "semivae/corr_z_vol_z_loc", "semivae/corr_z_shape_z_residual"}
    assert len(names) == 4 + 4 + 6


def test_figures_are_of_all_subjects_and_not_averaged_over_batches() -> None:
    data = batches()
    metrics = evaluate(LatentMetrics(PARTITION, FEATURES, output_transform=prediction_and_target), data)
    rows = [torch.cat([batch[side][name] for batch in data]).numpy() for side, name in [
        ("pred", "features"), ("label", "features"), ("label", "present")
    ]]  # fmt: skip
    r2 = r2_per_feature(*rows)
    assert metrics["sem/vol_r2"] == pytest.approx(r2[:2].mean())
    assert metrics["sem/loc_r2"] == pytest.approx(r2[2])
    assert metrics["sem/mean_r2"] == pytest.approx((r2[:2].mean() + r2[2] + r2[3]) / 3)
    assert metrics["diag/au_count_residual"] == 3.0


def test_the_key_metric_is_the_mean_over_partitions() -> None:
    options = {"output_transform": prediction_and_target}
    key = evaluate(MeanR2(PARTITION, FEATURES, **options), batches())["figures"]
    assert key == evaluate(LatentMetrics(PARTITION, FEATURES, **options), batches())["sem/mean_r2"]


def test_nothing_labelled_gives_nan_and_still_says_which_units_are_active() -> None:
    metrics = evaluate(LatentMetrics(PARTITION, FEATURES, output_transform=prediction_and_target), batches(False))
    assert all(metrics[f"sem/{name}_r2"] != metrics[f"sem/{name}_r2"] for name in ("vol", "loc", "shape", "mean"))
    assert metrics["diag/au_count_vol"] == 2.0


def test_a_unit_that_only_repeats_its_learned_prior_is_not_active() -> None:
    data = batches()
    for batch in data:
        mean = batch["pred"]["mean"]
        prior = torch.cat([torch.zeros_like(mean[:, :6]), mean[:, 6:]], dim=1)
        batch["pred"] |= {"prior_mean": prior, "prior_log_var": torch.zeros_like(mean)}
    metrics = evaluate(LatentMetrics(PARTITION, FEATURES, output_transform=prediction_and_target), data)
    assert (metrics["diag/au_count_shape"], metrics["diag/au_count_residual"]) == (2.0, 1.0)


def test_an_epoch_forgets_the_one_before() -> None:
    metric = LatentMetrics(PARTITION, FEATURES, output_transform=prediction_and_target)
    engine = Engine(lambda engine, batch: batch)
    metric.attach(engine, "figures")
    engine.run(batches())
    first = dict(engine.state.metrics)
    engine.run(batches())
    assert engine.state.metrics == first


class Counting(nn.Module):
    """An objective of two terms at weight 3, one of them of the first two scans of a batch; it remembers in which mode
    it was asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[str, Tensor] = {}
        self.modes: list[bool] = []

    def forward(self, prediction: dict[str, Tensor], target: dict[str, Tensor]) -> None:
        self.modes.append(self.training)
        self.terms = {"kl_vol": torch.tensor(float(len(target["image"]))), "semantic_vol": torch.tensor(2.0)}

    def averaged_over(self, target: dict[str, Tensor]) -> dict[str, int]:
        scans = len(target["image"])
        return {"kl_vol": scans, "semantic_vol": min(2, scans)}

    def weight_of(self, term: str) -> float:
        return 3.0


@pytest.mark.parametrize("training", [True, False])
def test_each_term_is_averaged_over_its_subjects_in_evaluation_mode(training: bool) -> None:
    objective = Counting().train(training)
    metrics = evaluate(ObjectiveMetrics(objective, "val_epoch", output_transform=prediction_and_target), batches())
    assert metrics["val_epoch/kl_vol"] == pytest.approx(33 / 9)
    assert metrics["val_epoch/semantic_vol"] == pytest.approx(2.0)
    assert metrics["val_epoch/loss"] == pytest.approx(3 * (33 / 9 + 2))
    assert objective.modes == [False] * 3
    assert objective.training is training


def test_the_average_is_over_the_subjects_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nine here, whose sum is 33, five of them with a volume, whose sum is 10; eleven and one there.
    elsewhere = torch.tensor([[11.0, 1.0], [7.0, 8.0]], dtype=torch.float64)
    monkeypatch.setattr("ignite.distributed.all_reduce", lambda own: own + elsewhere)
    metrics = evaluate(ObjectiveMetrics(Counting(), "val_epoch", output_transform=prediction_and_target), batches())
    assert metrics["val_epoch/kl_vol"] == pytest.approx((33 + 7) / 20)
    assert metrics["val_epoch/semantic_vol"] == pytest.approx((10 + 8) / 6)


@pytest.mark.parametrize("size", [8, 4, 1])
def test_what_labelled_scans_cost_depends_neither_on_the_batch_nor_on_the_unlabelled(size: int) -> None:
    options: dict[str, Any] = {"partition": {"vol": 2}, "features": {"vol": 1}, "free_bits": {"vol": 0.0}}
    options |= {"observations": 10.0, "semantic_sigma": 0.1, "tumour_weight": 1.0, "outside_weight": 0.1}
    families = ("reconstruction", "kl", "semantic", "tumour", "independence")
    objective = SemiVAELoss(**options, weights=dict.fromkeys(families, 1.0))
    code = {name: torch.zeros(8, 2) for name in ("mean", "log_var", "explained")}
    maps = {name: torch.zeros(8, 4, 2, 2, 2) for name in ("reconstruction", "tumour_logits", "seen_logits")}
    labelled = torch.arange(8) < 4
    pred = {**code, **maps, "features": torch.zeros(8, 1)}
    label = {"image": torch.zeros(8, 4, 2, 2, 2), "regions": torch.zeros(8, 3, 2, 2, 2), "labelled": labelled}
    label |= {"brain": torch.ones(8, 1, 2, 2, 2), "features": torch.ones(8, 1), "present": labelled[:, None].float()}
    data = [
        {
            "pred": {name: value[i : i + size] for name, value in pred.items()},
            "label": {name: value[i : i + size] for name, value in label.items()},
        }
        for i in range(0, 8, size)
    ]
    metrics = evaluate(ObjectiveMetrics(objective, "val_epoch", output_transform=prediction_and_target), data)
    assert metrics["val_epoch/semantic_vol"] == pytest.approx(50 + math.log(0.1 * math.sqrt(2 * math.pi)))
    assert metrics["val_epoch/tumour_ce"] == pytest.approx(10 * math.log(4))
    terms = {name: value for name, value in metrics.items() if name.startswith("val_epoch/") and "loss" not in name}
    assert metrics["val_epoch/loss"] == pytest.approx(sum(terms.values()))
