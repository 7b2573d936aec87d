"""Where inference may write."""

from pathlib import Path

import pytest
from torch import nn

from semivae_bundle.data.subjects import MODALITIES, ImageRef, Subject
from semivae_bundle.evaluation.inference_folder import refuse_folder_of_a_training
from semivae_bundle.evaluation.inference_run import InferenceRun, digest_of
from semivae_bundle.evaluation.inference_scans import FoundScans, Scan

NORMALIZER = Path(__file__).parents[2] / "models" / "normalizer.json"
LATENTS, FEATURES = {"mean_vol_00": 1.0}, {"vol_total_mm3": 2.0}


def a_run(folder: Path, *, amp: bool = False, overwrite: bool = False, data: str = "data") -> InferenceRun:
    """A run in `folder`/out, with weights that nothing is known of."""
    (folder / "model.pt").write_bytes(b"weights")
    return InferenceRun(
        folder / "out", folder / data, folder / "model.pt", NORMALIZER, {"amp": amp}, overwrite, False, nn.Identity()
    )


def scans(*names: str) -> FoundScans:
    """Usable scans of these names."""
    images = {modality: ImageRef(f"{modality}.nii.gz") for modality in MODALITIES}
    subjects = [Subject(name, name, "", None, images, None, {}) for name in names]
    return FoundScans(tuple(Scan(subject, Path("data"), {"sha256": subject.subject}) for subject in subjects))


def inferred(run: InferenceRun, *names: str) -> list[str]:
    """What is left to do of these scans, which is then done."""
    left = [item["subject"] for item in run.pending(scans(*names))]
    run.begin()
    for name in left:
        for file in run.volume_files(name).values():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"volume")
        run.complete(name, LATENTS, FEATURES)
    return left


def test_results_of_other_settings_go_only_where_that_is_asked_for(tmp_path: Path) -> None:
    inferred(a_run(tmp_path), "a", "b")
    with pytest.raises(ValueError, match=r"holds 2 scans made with other amp, .*--overwrite true to replace them"):
        a_run(tmp_path, amp=True)
    assert inferred(a_run(tmp_path), "a", "b", "c") == ["c"]
    assert inferred(a_run(tmp_path, amp=True, overwrite=True), "a") == ["a"]
    assert [path.name for path in (tmp_path / "out").glob("*/*.nii.gz")] == ["a_tumour.nii.gz"]
    # Replaced once, the run goes on like any other.
    assert inferred(a_run(tmp_path, amp=True), "a", "b") == ["b"]


def test_an_interrupted_scan_is_done_again_and_an_empty_volume_is_none(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    inferred(run, "a", "b")
    run.volume_files("a")["pred"].write_bytes(b"")
    run.subjects.pop("b")
    run.write()
    assert inferred(a_run(tmp_path), "a", "b") == ["a", "b"]


@pytest.mark.parametrize("name", ["latents.csv", "features.csv", "novelty.csv"])
def test_a_person_s_table_is_replaced_only_where_that_is_asked_for(tmp_path: Path, name: str) -> None:
    file = tmp_path / "out" / name
    file.parent.mkdir()
    file.write_text("mine")
    with pytest.raises(ValueError, match=f"no run.json says that it did, found {name} in"):
        a_run(tmp_path)
    assert file.read_text() == "mine"
    assert inferred(a_run(tmp_path, overwrite=True), "a") == ["a"]


@pytest.mark.parametrize("kind", ["tumour", "decoded"])
def test_a_person_s_masks_are_replaced_only_where_that_is_asked_for(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "out" / "b" / f"b_{kind}.nii.gz"
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(ValueError, match=rf"found b_{kind}.nii.gz in .*--overwrite true to replace"):
        a_run(tmp_path).pending(scans("a", "b"))
    assert inferred(a_run(tmp_path), "a") == ["a"]


def test_the_folder_of_the_scans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected another folder than dataset_dir"):
        a_run(tmp_path, data="x/../out")


def test_the_folder_of_a_training_is_refused_with_another_to_take(tmp_path: Path) -> None:
    refuse_folder_of_a_training(tmp_path)
    (tmp_path / "cohort.json").write_text("{}")
    with pytest.raises(ValueError, match=r"features.csv would be lost; pass --output_dir .*inference"):
        refuse_folder_of_a_training(tmp_path)


def test_networks_whose_weights_have_the_same_names_are_told_apart() -> None:
    one, other = (
        nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(2, 4)),
        nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(4, 4)),
    )
    assert one.state_dict().keys() == other.state_dict().keys()
    assert digest_of(one) != digest_of(other)
    nn.init.zeros_(one[0].weight)
    assert digest_of(one) == digest_of(nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(2, 4)))
