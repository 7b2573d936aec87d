"""Says so where scans lack modalities and the network cannot know."""

from __future__ import annotations

from ignite.engine import Engine, Events
from torch import nn

from semivae_bundle.evaluation.inference_run import InferenceRun
from semivae_bundle.networks.presence import is_told_what_is_absent


class AbsenceWarning:
    """A warning before the first scan, where scans of `run` lack modalities and `network` is not told which.

    The run goes on: what it says of complete scans is as good as ever.
    """

    def __init__(self, run: InferenceRun, network: nn.Module) -> None:
        self.run = run
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Warn at the start."""
        engine.add_event_handler(Events.STARTED, self.warn)

    def warn(self, engine: Engine) -> None:
        """One line, or none."""
        incomplete = [scan for scan in self.run.scans.values() if scan.lacks]
        if incomplete and not is_told_what_is_absent(self.network):
            print(
                f"warning  {len(incomplete)} of {len(self.run.scans)} scans lack modalities, and this network is "
                "not told which: it takes an absent channel for an image of nothing but mean intensity, so do not rely "
                "on what it says of them; train with the recipe modality_dropout and one of "
                "presence_planes, product_of_experts and mixture_of_experts, and lay that one over inference.json too",
                flush=True,
            )
