import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from semivae_bundle.data.problems import CohortError
from semivae_bundle.evaluation.inference_sources import channel_problems, find_sources


def write(path: Path, shape: tuple[int, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.float32), np.eye(4)), path)


def test_a_folder_of_4d_files_is_one_scan_per_file(tmp_path: Path) -> None:
    write(tmp_path / "b.nii.gz", (4, 4, 4, 4))
    write(tmp_path / "a.nii", (4, 4, 4, 4))
    write(tmp_path / "atlas.nii.gz", (4, 4, 4))
    found = find_sources(tmp_path)
    assert [one.subject for one in found] == ["a", "b"]
    assert [found[0].images[name][0].channel for name in ("t1c", "t1n", "t2f", "t2w")] == [0, 1, 2, 3]


def test_4d_files_and_brats_folders_may_lie_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "a.nii.gz", (4, 4, 4, 4))
    for name in ("t1c", "t1n", "t2f", "t2w", "seg"):
        write(tmp_path / "BraTS-GLI-00001-000" / f"BraTS-GLI-00001-000-{name}.nii.gz", (4, 4, 4))
    found = find_sources(tmp_path)
    assert [one.subject for one in found] == ["BraTS-GLI-00001-000", "a"]
    assert found[0].segs == ()


def test_an_empty_folder_names_the_4d_layout_too(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="one 4-D file per scan"):
        find_sources(tmp_path)


def test_a_decathlon_folder_is_refused_because_its_channels_are_ordered_otherwise(tmp_path: Path) -> None:
    write(tmp_path / "imagesTs" / "BRATS_001.nii.gz", (4, 4, 4, 4))
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": "FLAIR"}, "training": [], "test": []}))
    with pytest.raises(CohortError, match="another order"):
        find_sources(tmp_path / "imagesTs")


def test_an_explicit_list_takes_4d_files_and_quadruples(tmp_path: Path) -> None:
    found = find_sources(
        tmp_path, images=["x/p1.nii.gz", [f"p2-{name}.nii.gz" for name in ("t1c", "t1n", "t2f", "t2w")]]
    )
    assert [one.subject for one in found] == ["p1", "p2"]
    assert found[1].images["t2f"][0].path == "p2-t2f.nii.gz"


def test_an_explicit_mapping_names_the_subjects(tmp_path: Path) -> None:
    found = find_sources(tmp_path, images={"Anna": "scan.nii.gz"})
    assert found[0].subject == "Anna"
    assert found[0].images["t1c"][0].path == "scan.nii.gz"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([["a.nii", "b.nii", "c.nii", "d.nii"]], "no usable subject name"),
        ({"p": ["a.nii", "b.nii"]}, "p: expected one 4-D file or four files"),
        ({"../p": "a.nii"}, "no usable subject name"),
        ("a.nii.gz", "expected a list"),
    ],
)
def test_a_list_that_makes_no_sense_says_why(tmp_path: Path, images: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_sources(tmp_path, images=images)  # type: ignore[arg-type]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="several of p1"):
        find_sources(tmp_path, images=["a/p1.nii.gz", "b/p1.nii.gz"])


def test_a_fifth_channel_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path / "a.nii.gz", (4, 4, 4, 5))
    problems = channel_problems(find_sources(tmp_path)[0], tmp_path)
    assert [problem.code for problem in problems] == ["wrong_dimensions"]


@pytest.mark.parametrize("kinds", [("t1c", None, None, None), ("t1c", "t1n", None, None), (None, None, "flair", "t2")])
def test_a_scan_has_the_same_name_whichever_of_its_files_are_listed(tmp_path: Path, kinds: tuple[str | None]) -> None:
    (found,) = find_sources(tmp_path, [[kind and f"p-7_{kind}.nii.gz" for kind in kinds]])
    assert found.subject == "p-7"
    assert [bool(found.images.get(name)) for name in ("t1c", "t1n", "t2f", "t2w")] == [
        kind is not None for kind in kinds
    ]
