"""How much of each partition's attention lies in the tumour: the section attention_in_tumour of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from semivae_bundle.evaluation.attention_maps import AttentionWatch, share_inside
from semivae_bundle.evaluation.bootstrap import mean_estimate, patient_resamples
from semivae_bundle.evaluation.plain_json import plain

EVEN = "even_over_brain"


class AttentionInTumour:
    """Gathers, scan by scan, the share of each partition's attention that lies in the measured tumour.

    Of a network without attention maps nothing is gathered and the section is left out.
    """

    def __init__(self, network: nn.Module, partition: Sequence[str]) -> None:
        self.watch = AttentionWatch(network, partition)
        self.shares: dict[str, list[float]] = {}

    def start(self) -> None:
        """Forget an earlier run, and watch."""
        self.shares = {name: [] for name in (*self.watch.names, EVEN)}
        self.watch.start()

    def add(self, target: Mapping[str, Tensor]) -> None:
        """The batch that the network has just seen; `target` of PrepareSemiVAEBatch. NaN for a scan without mask."""
        if not self.watch.names:
            return
        tumour, brain = target["regions"].float().sum(dim=1, keepdim=True), target["brain"].float()
        found = {name: share_inside(maps, tumour) for name, maps in self.watch.latest().items()}
        found[EVEN] = share_inside([brain], tumour)
        for name, shares in found.items():
            known = shares.where(target["labelled"], float("nan"))
            self.shares[name] += known.cpu().tolist()

    def section(self, patients: Sequence[str], resamples: int, seed: int, level: float) -> dict[str, Any]:
        """{"attention_in_tumour": mean share by partition, with its interval}, or {}; ends the watch.

        `patients` names the patient of each scan, in the order added. `even_over_brain` is what a map that is the same
        over the whole brain and zero outside would have: the tumour's share of the brain.
        """
        self.watch.stop()
        if not self.watch.names:
            return {}
        counts = patient_resamples(patients, resamples, seed)
        figures = {name: mean_estimate(np.asarray(shares), counts, level) for name, shares in self.shares.items()}
        return {"attention_in_tumour": plain(figures)}
