import hashlib
import json
from pathlib import Path

from semivae_bundle import __version__
from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.data.splits import split_hash
from semivae_bundle.evaluation.figure_training import history_file_of
from semivae_bundle.evaluation.provenance import provenance_record
from semivae_bundle.training.weights_record import write_weights_record

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


def test_curves_beside_an_evaluation_are_shown_if_they_are_of_the_same_weights(tmp_path: Path) -> None:
    trained, shipped, other = (tmp_path / name / "model.pt" for name in ("checkpoints", "models", "elsewhere"))
    for file in (trained, shipped, other):
        file.parent.mkdir()
        file.write_text(file.parent.name)
    write_weights_record(shipped, "cohort", {}, made_from=sha256_of_file(trained))
    (tmp_path / "metrics.csv").write_text("epoch,name,value\n")
    for checkpoint, here in ((trained, True), (shipped, True), (other, False)):
        found = provenance_record(checkpoint, "test", SPLITS, {}, seed=0, trained=trained)
        assert found["trained_here"] is here
        assert (history_file_of(tmp_path / "evaluation", found) is not None) is here
    shipped.write_text("edited")
    assert not provenance_record(shipped, "test", SPLITS, {}, seed=0, trained=trained)["trained_here"]
    assert not provenance_record(trained, "test", SPLITS, {}, seed=0)["trained_here"]
