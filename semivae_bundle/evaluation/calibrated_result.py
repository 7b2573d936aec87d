"""What a calibration adds to a scan's result: bounds of each feature, and whether the scan can be trusted with it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.export_tables import TURNED_AWAY, VERDICT
from semivae_bundle.evaluation.intervals import interval_table
from semivae_bundle.evaluation.novelty import DISTANCE, NoveltyGate, Verdict
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.scan_scores import scan_scores
from semivae_bundle.evaluation.scan_verdict import scan_verdict
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.networks.presence import presence

NOT_AVAILABLE = "not available"


class CalibratedResultd(MapTransform):
    """Adds to `result_key`: {"intervals": {"vol_total_mm3_lower": ...}, "novelty": {"in_distribution": "yes", ...}}.

    Reads the normalised features (F,) under the key, and mean, log_var (L,), reconstruction (4, D, H, W), the decoded
    tumour logits (T, D, H, W) under `tumour_key` and the pre-processed image under `image_key`, before anything is
    taken back to the scan's own grid. A bound that was not calibrated is None; without a gate there is no "novelty".

    A scan that lacks modalities (channels that are 0 everywhere) is not like those that were calibrated on, which were
    complete: its bounds are None and its verdict is NOT_AVAILABLE, beside scores of the channels that are there.
    """

    def __init__(
        self,
        keys: KeysCollection,
        image_key: str,
        normalizer: Normalizer,
        calibration: Calibration,
        result_key: str = "result",
        tumour_key: str = "decoded",
    ) -> None:
        super().__init__(keys)
        self.tumour_key = tumour_key
        self.image_key = image_key
        self.normalizer = normalizer
        self.calibration = calibration
        self.result_key = result_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Look up one scan."""
        result = dict(data)
        for key in self.key_iterator(result):
            predicted = torch.as_tensor(result[key]).reshape(1, -1).numpy()
            bounds = interval_table(predicted, self.normalizer, self.calibration).iloc[0].to_dict()
            seen = presence(torch.as_tensor(result[self.image_key])[None])[0].cpu() > 0
            lacking = [name for name, there in zip(MODALITIES, seen.tolist(), strict=True) if not there]
            added: dict[str, Any] = {"intervals": dict.fromkeys(bounds) if lacking else bounds}
            if self.calibration.novelty is not None:
                names = (self.image_key, "reconstruction", "mean", "log_var", self.tumour_key)
                parts = [torch.as_tensor(result[name]).cpu() for name in names]
                gate = self.calibration.novelty
                if lacking:
                    added["novelty"] = incomplete_row(gate, parts, seen, lacking)
                else:
                    added["novelty"] = novelty_row(scan_verdict(gate, *parts))
            result[self.result_key] = {**result[self.result_key], **plain(added)}
        return result


def incomplete_row(
    gate: NoveltyGate, parts: Sequence[Tensor], seen: Tensor, lacking: Sequence[str]
) -> dict[str, str | float]:
    """Row of novelty.csv without a verdict, from the channels that are `seen` (4,) of a scan that lacks some; a score
    that takes all channels stays empty. `parts`: image, reconstruction (4, D, H, W), mean, log_var (L,), tumour logits
    (T, D, H, W).
    """
    image, reconstruction, *rest = parts
    reason = f"calibrated on complete scans, and this one lacks {', '.join(lacking)}"
    scores = scan_scores(image[seen], reconstruction[seen], *rest)
    scores[DISTANCE] = gate.latent_distance(rest[0].double().numpy())
    known = {scale.name: scores.get(scale.name, "") for scale in gate.scales}
    return {VERDICT: NOT_AVAILABLE, "p_value": "", "reason": reason, **known}


def novelty_row(verdict: Verdict) -> dict[str, str | float]:
    """A verdict as cells of novelty.csv: in_distribution yes or no, p_value, reason, then the scores."""
    said = "yes" if verdict.in_distribution else TURNED_AWAY
    return {VERDICT: said, "p_value": verdict.p_value, "reason": verdict.reason, **verdict.scores}
