"""The mutual information of subject and code over a validation, as an ignite metric."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from ignite.metrics import Metric
from monai.utils import evenly_divisible_all_gather
from torch import Tensor

from semivae_bundle.losses.mutual_information import mutual_information


class CodeInformation(Metric):
    """`mutual_information` of the whole code in nats, over all subjects of all processes, under the name it is given.

    Takes (prediction, target) as the engine holds them. The one sample per subject is drawn with the same noise each
    time, so that two epochs differ by their posteriors alone and training's random numbers stay where they were.
    """

    def reset(self) -> None:
        """Forget the last epoch."""
        self.rows: dict[str, list[Tensor]] = {"mean": [], "log_var": []}

    def update(self, output: tuple[Mapping[str, Tensor], Mapping[str, Tensor]]) -> None:
        """Keep one batch's posteriors."""
        for name, rows in self.rows.items():
            rows.append(output[0][name].detach().float().cpu())

    def compute(self) -> float:
        """In nats, at most the logarithm of the number of subjects; not a number where there are none."""
        if not self.rows["mean"]:
            return float("nan")
        mean, log_var = (evenly_divisible_all_gather(torch.cat(rows)) for rows in self.rows.values())
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
        return float(mutual_information(mean + noise * torch.exp(0.5 * log_var), mean, log_var))
