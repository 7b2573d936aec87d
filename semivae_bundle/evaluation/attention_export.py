"""The attention maps on their way from the network to files in the grid of the scan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ignite.engine import Engine, Events
from monai.config import KeysCollection
from monai.engines.utils import IterationEvents
from monai.transforms import MapTransform
from torch import nn

from semivae_bundle.evaluation.attention_maps import AttentionWatch, enlarged
from semivae_bundle.evaluation.inference_transforms import on_grid_of


class AttentionExport:
    """After each forward: the maps of each partition on the network's grid, as `attention_<partition>` of the output.

    (B, K, D, H, W) each, K maps side by side, as the network weighs: gates in [0, 1], or a softmax that adds up to one
    over the cells of its own, coarser grid. Raises ValueError for a network without attention maps.
    """

    def __init__(self, network: nn.Module, partition: Mapping[str, int]) -> None:
        self.watch = AttentionWatch(network, list(partition))
        if not self.watch.names:
            raise ValueError(
                "attention maps: expected a network with a partition that reads some, found none; lay the recipe that "
                "it was trained with, such as partition_attention, before attention_maps"
            )

    @property
    def keys(self) -> list[str]:
        """Keys in the output, which are the ends of the files' names too."""
        return [f"attention_{name}" for name in self.watch.names]

    def attach(self, engine: Engine) -> None:
        """Watch, take, end."""
        engine.add_event_handler(Events.STARTED, lambda _engine: self.watch.start())
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.take)
        engine.add_event_handler(Events.COMPLETED, lambda _engine: self.watch.stop())

    def take(self, engine: Engine) -> None:
        """Add the maps of this batch to the output."""
        size = engine.state.output["image"].shape[2:]
        maps = self.watch.latest().values()
        engine.state.output |= {key: enlarged(of_one, size) for key, of_one in zip(self.keys, maps, strict=True)}


class OnGridOfImaged(MapTransform):
    """Volumes (K, D, H, W) get the affine and the history of the image that they lie on, so that both can be undone."""

    def __init__(self, keys: KeysCollection, image_key: str) -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """As MetaTensors on the CPU, where the inverse transforms work."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = on_grid_of(result[self.image_key], result[key].cpu())
        return result
