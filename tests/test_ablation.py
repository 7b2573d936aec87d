"""scripts/ablation.py: rows are trained once, evaluated, and tabulated."""

import csv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TINY: dict[str, Any] = {
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.5, "validation": 0.5},
    "roi_size": [32, 32, 32],
    "network_def#encoder#base_filters": 8,
    "network_def#encoder#blocks": [1, 1],
    "network_def#encoder#pool_size": 2,
    "network_def#decoder#channels": [16, 8],
    "network_def#decoder#atlas#side": 8,
    "progress": False,
    "amp": False,
}


def test_a_row_is_trained_once_and_its_figures_come_in_a_table(
    phantom_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from ablation import ablation

    said = []
    for _ in range(2):
        ablation(str(phantom_dir), str(tmp_path), ["independence_covariance"], epochs=1, **TINY)
        said.append(capsys.readouterr().out)
    assert "independence_covariance: training" in said[0]
    assert "training" not in said[1]
    assert "| independence_covariance | " in said[1]
    with pytest.raises(ValueError, match=r"independence_covariance: was run with other options.*'epochs': \(1, 2\)"):
        ablation(str(phantom_dir), str(tmp_path), ["independence_covariance"], epochs=2, **TINY)
    with (tmp_path / "ablation.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["row"] == "independence_covariance"
    assert float(row["s per step"]) > 0
    assert 0 <= float(row["distance correlation"]) <= 1
    assert {"R² vol", "residual active", "KL shape", "p", "PSNR tumour [dB]"} < set(row)
    assert (tmp_path / "shared" / "splits.json").exists()
