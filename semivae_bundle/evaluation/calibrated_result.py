"""What a calibration adds to a scan's result: bounds of each feature, and whether the scan can be trusted with it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.intervals import interval_table
from semivae_bundle.evaluation.novelty import Verdict
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.scan_verdict import scan_verdict
from semivae_bundle.features.normalizer import Normalizer


class CalibratedResultd(MapTransform):
    """Adds to `result_key`: {"intervals": {"vol_total_mm3_lower": ...}, "novelty": {"in_distribution": "yes", ...}}.

    Reads the normalised features (F,) under the key, and mean, log_var (L,), reconstruction (4, D, H, W), the tumour
    logits (T, D, H, W) under `tumour_key` and the pre-processed image under `image_key`, before anything is taken back
    to the scan's own grid. A bound that was not calibrated is None; without a gate there is no "novelty".
    """

    def __init__(
        self,
        keys: KeysCollection,
        image_key: str,
        normalizer: Normalizer,
        calibration: Calibration,
        result_key: str = "result",
        tumour_key: str = "pred",
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
            table = interval_table(predicted, self.normalizer, self.calibration)
            added: dict[str, Any] = {"intervals": table.iloc[0].to_dict()}
            if self.calibration.novelty is not None:
                names = (self.image_key, "reconstruction", "mean", "log_var", self.tumour_key)
                parts = (torch.as_tensor(result[name]).cpu() for name in names)
                added["novelty"] = novelty_row(scan_verdict(self.calibration.novelty, *parts))
            result[self.result_key] = {**result[self.result_key], **plain(added)}
        return result


def novelty_row(verdict: Verdict) -> dict[str, str | float]:
    """A verdict as cells of novelty.csv: in_distribution yes or no, p_value, reason, then the scores."""
    said = "yes" if verdict.in_distribution else "no"
    return {"in_distribution": said, "p_value": verdict.p_value, "reason": verdict.reason, **verdict.scores}
