"""configs/inference.json on scans that lack modalities, with tiny networks of random weights."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from test_inference_config import CONFIG, ROOT, TINY, infer, options, rows

__all__ = ["options"]  # a fixture, which ruff would take for an unused import

RECIPE = ROOT / "configs" / "recipes" / "presence_planes.yaml"


@pytest.fixture
def one_incomplete(options: dict[str, Any]) -> dict[str, Any]:
    """Options under which the first of two scans has t1c and t2f alone."""
    first = sorted(options["images"])[0]
    t1c, _, t2f, _ = options["images"][first]
    return {**options, "images": {**options["images"], first: [t1c, None, t2f, None]}}


def test_a_subset_is_inferred_on_its_own_grid_and_stated_in_every_table(
    one_incomplete: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = infer(one_incomplete, allow_missing="true", save_reconstruction="true")
    for table in ("latents.csv", "features.csv"):
        assert [row["modalities"] for row in rows(out / table)] == ["t1c+t2f", "t1c+t1n+t2f+t2w"]
    name, files = next(iter(sorted(one_incomplete["images"].items())))
    labels, scan = nibabel.load(out / name / f"{name}_tumour.nii.gz"), nibabel.load(files[0])
    assert labels.shape == scan.shape
    assert np.array_equal(labels.affine, scan.affine)
    assert nibabel.load(out / name / f"{name}_reconstruction.nii.gz").shape == (*scan.shape, 4)
    printed = capsys.readouterr().out
    assert printed.count("absent_modality") == 2
    assert "1 of 2 scans lack modalities, and this network is not told which" in printed


def test_by_default_an_incomplete_scan_is_skipped(one_incomplete: dict[str, Any]) -> None:
    out = infer(one_incomplete)
    assert [row["modalities"] for row in rows(out / "latents.csv")] == ["t1c+t1n+t2f+t2w"]


def test_a_network_that_is_told_needs_no_warning(
    one_incomplete: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = ConfigParser()
    parser.read_config([str(CONFIG), str(RECIPE)])
    parser.update(TINY)
    torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "told.pt")
    recipe = ConfigParser.load_config_file(str(RECIPE))
    recipe.pop("_desc_")
    out = infer({**one_incomplete, **recipe, "checkpoint": str(tmp_path / "told.pt")}, allow_missing="true")
    assert len(rows(out / "latents.csv")) == 2
    assert "not told which" not in capsys.readouterr().out
