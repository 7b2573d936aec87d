"""The run id that tries the novelty gate."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.detection_run import usual_scans, write_detection
from semivae_bundle.evaluation.novelty_fitting import fit_novelty_gate
from semivae_bundle.evaluation.scan_scores import SCORES


class Flat(nn.Module):
    """Draws nothing and codes the mean of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        mean = image.mean(dim=(2, 3, 4))
        zero = torch.zeros_like(mean)
        return {"reconstruction": 0 * image, "mean": mean, "log_var": zero, "tumour_logits": 0 * image}


def items(count: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    regions = torch.zeros(3, 8, 8, 8)
    regions[:2, 2:4, 2:4, 2:4] = 0.4
    return [
        {"image": torch.randn(4, 8, 8, 8, generator=generator), "regions": regions, "labelled": torch.tensor(i > 0)}
        for i in range(count)
    ]


def a_calibration(with_gate: bool) -> Calibration:
    rng = np.random.default_rng(0)
    scores = {name: rng.lognormal(size=60) for name in SCORES}
    patients = [str(i) for i in range(60)]
    gate = fit_novelty_gate(rng.normal(size=(60, 4)), scores, patients, false_alarm_rate=0.05, seed=0)
    made_on = {"split": "validation", "split_sha256": "a"}
    return Calibration(0.9, (), gate if with_gate else None, None if with_gate else "too few", made_on)


def test_tumours_come_from_all_regions_together_and_unlabelled_scans_have_none() -> None:
    found = list(usual_scans(items(3), 2, progress=False))
    assert len(found) == 2
    assert found[0][1] is None
    assert found[1][1] is not None
    assert found[1][1].sum() == 8


def test_every_corruption_of_the_scans_asked_for_is_written(tmp_path: Path) -> None:
    file = tmp_path / "detection.json"
    write_detection(items(4), Flat(), a_calibration(True), file, {"split": "test"}, scans=3, seed=0, progress=False)
    content = json.loads(file.read_text())
    assert content["provenance"] == {"split": "test"}
    assert content["corruptions"]["usual"]["scans"] == content["corruptions"]["noise"]["scans"] == 3
    assert content["corruptions"]["without_tumour"]["scans"] == 2


@pytest.mark.parametrize(("split", "independent"), [("test", True), ("validation", False), ("train", False)])
def test_scans_that_the_gate_was_made_on_are_no_evidence(
    split: str, independent: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, provenance = tmp_path / "detection.json", {"split": split, "split_sha256": "a"}
    write_detection(items(2), Flat(), a_calibration(True), file, provenance, scans=2, seed=0, progress=False)
    assert json.loads(file.read_text())["independent"] == independent
    assert ("is no evidence" in capsys.readouterr().out) != independent


@pytest.mark.parametrize(("calibration", "reason"), [(None, "no calibration.json"), (a_calibration(False), "too few")])
def test_without_a_gate_it_says_so(calibration: Calibration | None, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"detecting: no novelty gate to try: {reason}"):
        write_detection(items(2), Flat(), calibration, tmp_path / "d.json", {}, scans=2, seed=0, progress=False)
