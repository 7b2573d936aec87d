import hashlib
import json
from pathlib import Path

from semivae_bundle import __version__
from semivae_bundle.data.splits import split_hash
from semivae_bundle.evaluation.provenance import provenance_record

SPLITS = {"train": ["a"], "validation": ["b"], "test": ["c"]}


def test_it_names_the_code_the_weights_and_the_split(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints" / "model.pt"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    found = provenance_record(file, "test", SPLITS, {"roi_size": [48, 48, 48]}, seed=3)
    assert found["package_version"] == __version__
    assert found["checkpoint"] == {"file": "checkpoints/model.pt", "sha256": hashlib.sha256(b"weights").hexdigest()}
    assert (found["split"], found["split_sha256"], found["seed"]) == ("test", split_hash(SPLITS), 3)
    assert found["settings"] == {"roi_size": [48, 48, 48]}


def test_it_holds_no_path_of_the_machine(tmp_path: Path) -> None:
    assert str(tmp_path) not in json.dumps(provenance_record(tmp_path / "model.pt", "test", SPLITS, {}, seed=0))


def test_weights_without_a_file_have_no_hash(tmp_path: Path) -> None:
    assert provenance_record(tmp_path / "model.pt", "test", SPLITS, {}, seed=0)["checkpoint"]["sha256"] is None
