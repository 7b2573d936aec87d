"""The mutual information of subject and code over a validation, as an ignite metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ignite.metrics import Metric
from monai.utils import evenly_divisible_all_gather
from torch import Tensor

from semivae_bundle.losses.mutual_information import mutual_information
from semivae_bundle.networks.partition import partition_slices


class CodeInformation(Metric):
    """`mutual_information` of the partition `block` in nats, over all subjects of all processes, under the name it is
    given.

    Of one partition, since the supervised ones alone tell all subjects apart, and the whole code would be at its
    ceiling with a residual that says nothing.

    Takes (prediction, target) as the engine holds them. The one sample per subject is drawn with the same noise each
    time, so that two epochs differ by their posteriors alone and training's random numbers stay where they were.
    """

    def __init__(self, partition: Mapping[str, int], block: str, **kwargs: Any) -> None:
        if block not in partition:
            raise ValueError(f"information: expected a block among {list(partition)}, found {block!r}")
        self.part = partition_slices(partition)[block]
        super().__init__(**kwargs)

    def reset(self) -> None:
        """Forget the last epoch."""
        self.rows: dict[str, list[Tensor]] = {"mean": [], "log_var": []}

    def update(self, output: tuple[Mapping[str, Tensor], Mapping[str, Tensor]]) -> None:
        """Keep one batch's posteriors."""
        for name, rows in self.rows.items():
            rows.append(output[0][name][:, self.part].detach().float().cpu())

    def compute(self) -> float:
        """In nats, at most the logarithm of the number of subjects; not a number where there are none."""
        if not self.rows["mean"]:
            return float("nan")
        mean, log_var = (evenly_divisible_all_gather(torch.cat(rows)) for rows in self.rows.values())
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
        return float(mutual_information(mean + noise * torch.exp(0.5 * log_var), mean, log_var))
