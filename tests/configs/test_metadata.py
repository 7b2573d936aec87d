"""configs/metadata.json against the Model Zoo's schema of 2024-07-25, the pinned packages and the configuration."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import semivae_bundle

ROOT = Path(__file__).parents[2]
METADATA: dict[str, Any] = json.loads((ROOT / "configs" / "metadata.json").read_text())
INFERENCE: dict[str, Any] = json.loads((ROOT / "configs" / "inference.json").read_text())
TEXTS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors")
TEXTS += ("copyright", "name")
TENSOR_FIELDS = {
    "type": str,
    "format": str,
    "num_channels": int,
    "spatial_shape": list,
    "dtype": str,
    "value_range": list,
}


def tensors() -> dict[str, dict[str, Any]]:
    formats = {name: value for name, value in METADATA.items() if name.endswith("_data_format")}
    return {
        f"{name}.{way}.{key}": tensor
        for name, value in formats.items()
        for way, group in value.items()
        for key, tensor in group.items()
    }


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {name.lower(): version for name, version in (line.split("==") for line in lines if "==" in line)}


def test_every_required_field_is_there() -> None:
    assert METADATA["schema"].endswith("meta_schema_20240725.json")
    for name in TEXTS:
        assert isinstance(METADATA[name], str), name
        assert METADATA[name], name
    for name in ("changelog", "required_packages_version", "network_data_format"):
        assert isinstance(METADATA[name], dict), name


@pytest.mark.parametrize("name", list(tensors()))
def test_every_tensor_is_described_as_the_schema_asks(name: str) -> None:
    tensor = tensors()[name]
    for field, kind in TENSOR_FIELDS.items():
        assert isinstance(tensor[field], kind), field
    assert tensor["dtype"] == "float32"
    numbers = [number for key in tensor["channel_def"] for number in key.split("-")]
    assert max(map(int, numbers)) == tensor["num_channels"] - 1


def test_the_network_data_format_holds_image_and_pred_only() -> None:
    formats = METADATA["network_data_format"]
    assert (list(formats["inputs"]), list(formats["outputs"])) == (["image"], ["pred"])


def test_the_sizes_are_those_of_the_configuration() -> None:
    described = tensors()
    for name in ("inputs.image", "outputs.pred"):
        assert described[f"network_data_format.{name}"]["spatial_shape"] == INFERENCE["roi_size"]
    latent = described["latent_data_format.outputs.mean"]
    assert latent["num_channels"] == INFERENCE["latent_size"]
    assert list(latent["channel_def"].values()) == list(INFERENCE["partition"])
    columns = [column for names in INFERENCE["targets"].values() for column in names]
    assert list(described["latent_data_format.outputs.features"]["channel_def"].values()) == columns


def test_versions_are_the_pinned_ones() -> None:
    named = {
        "monai": METADATA["monai_version"],
        "torch": METADATA["pytorch_version"],
        "numpy": METADATA["numpy_version"],
    }
    pinned = pins()
    for name, version in {**named, **METADATA["required_packages_version"]}.items():
        assert pinned[name.lower()] == version, name


def test_metadata_package_and_changelog_name_one_version() -> None:
    assert METADATA["version"] == semivae_bundle.__version__
    assert next(iter(METADATA["changelog"])) == METADATA["version"]
    headings = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == METADATA["version"]
