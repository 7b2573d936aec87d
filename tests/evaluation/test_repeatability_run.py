"""The run id that reads scans again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Randomizable
from torch import Tensor, nn

from semivae_bundle.evaluation.repeatability_run import (
    RepeatedScans,
    readable_features,
    readable_unit,
    write_repeatability,
)
from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.features.normalizer import Normalizer

INTERVALS = Intervals(level=0.95, resamples=50, permutations=5, seed=0)
NOISE = 0.1


class Noisy(Randomizable):
    """Scans whose first channel is their number, under noise anew at every access."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = torch.full((4, 1, 1, 1), float(index)) + NOISE * torch.from_numpy(self.R.standard_normal((4, 1, 1, 1)))
        return {"image": image.float(), "subject": f"s{index}"}


class Reader(nn.Module):
    """The code is the first channel, twenty times; dimension 19 is always 0. The heads take the first three."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def encode(self, image: Tensor) -> tuple[Tensor]:
        code = image[:, :1, 0, 0, 0].repeat(1, 20)
        code[:, 19] = 0
        return (code,)

    def heads(self, mean: Tensor) -> Tensor:
        return mean[:, :3]


def written(
    normalizer: Normalizer, partition: dict[str, int], folder: Path, scans: int = 6, repeats: float = 4
) -> dict[str, Any]:
    dataset = Noisy(10)
    write_repeatability(
        dataset,  # type: ignore[arg-type]
        dataset,
        {"noise": NOISE},
        "simulated: the same number under other noise",
        Reader(),
        normalizer,
        partition,
        {f"s{i}": f"p{i // 2}" for i in range(10)},
        scans=scans,
        repeats=repeats,  # type: ignore[arg-type]
        intervals=INTERVALS,
        folder=folder,
        provenance={"split": "test"},
        progress=False,
    )
    return dict(json.loads((folder / "repeatability.json").read_text()))


def test_what_was_put_in_comes_out(
    normalizer: Normalizer, partition: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = written(normalizer, partition, tmp_path)
    assert (report["scans"], report["patients"], report["repeats"]) == (6, 3, 4)
    assert report["changes"] == {"noise": NOISE}
    assert report["provenance"] == {"split": "test"}
    first = report["dimensions"]["vol_00"]
    assert first["within_sd"]["value"] == pytest.approx(NOISE, rel=0.4)
    assert first["between_sd"] == pytest.approx(np.arange(6).std(ddof=1), rel=0.1)
    assert report["dimensions"]["residual_07"]["icc"]["value"] is None
    vol = report["partitions"]["vol"]
    assert vol["share_between"] == pytest.approx(first["icc"]["value"], abs=1e-9)
    assert vol["least_icc"] == vol["median_icc"] == first["icc"]["value"]
    assert set(report["features"]) == set(normalizer.columns)
    assert (tmp_path / "repeatability.png").is_file()
    assert report["meaning"] == "simulated: the same number under other noise"
    printed = capsys.readouterr().out
    assert "6 scans of 3 patients, 4 repeats each\nsimulated: the same number under other noise\n" in printed


def test_the_same_seed_reads_the_same_repeats(
    normalizer: Normalizer, partition: dict[str, int], tmp_path: Path
) -> None:
    reports = [written(normalizer, partition, tmp_path / name) for name in ("one", "two")]
    assert reports[0] == reports[1]


def test_a_deviation_is_in_the_unit_that_it_says(normalizer: Normalizer) -> None:
    step = readable_features(np.ones((1, 3)), normalizer) - readable_features(np.zeros((1, 3)), normalizer)
    for place, scale in enumerate(normalizer.scales):
        unit = readable_unit(scale.column)
        assert unit == {"vol": "ln", "loc": "mm", "shape": "ln"}[scale.partition]
        if scale.regressor is None:
            length = normalizer.fov_mm[0] if unit == "mm" else 1
            assert step[0, place] == pytest.approx(scale.std * length)


def test_scans_come_again_in_a_row() -> None:
    scans = RepeatedScans(list("abcd"), scans=3, repeats=2)  # type: ignore[arg-type]
    assert [scans[i] for i in range(len(scans))] == list("aabbcc")
    assert len(RepeatedScans(list("ab"), scans=3, repeats=2)) == 4  # type: ignore[arg-type]


def test_one_scan_is_too_few(normalizer: Normalizer, partition: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="repeating: repeated_scans: expected a whole number >= 2, found 1"):
        written(normalizer, partition, tmp_path, scans=1)
    with pytest.raises(SystemExit, match=r"repeating: repeats: expected a whole number >= 2, found 2.5"):
        written(normalizer, partition, tmp_path, scans=2, repeats=2.5)
    assert not list(tmp_path.iterdir())
