"""From a folder to cohort.json and splits.json."""

import json
import os
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from semivae_bundle.data.cohort import Cohort, index_cohort, load_cohort, load_or_index_cohort
from semivae_bundle.data.masks import read_mask
from semivae_bundle.data.problems import CohortError
from semivae_bundle.data.splits import load_splits

FRACTIONS = {"train": 0.5, "validation": 0.25, "test": 0.25}
REAL = Path(os.environ.get("SEMIVAE_REAL_DATA", Path(__file__).parents[3] / "shared" / "real"))


def index(folder: Path, out: Path, call=index_cohort, **options) -> Cohort:
    arguments = {"fractions": FRACTIONS, "seed": 0, "workers": 1, "progress": False} | options
    return call(str(folder), str(out / "cohort.json"), str(out / "splits.json"), **arguments)


@pytest.fixture
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture
def folder(save_scan) -> Path:
    """Five sound subjects, one of them unlabelled, and two bad ones."""
    for name in "ABCD":
        save_scan(name)
    save_scan("E", without=["seg"])
    save_scan("X", without=["t1c"])
    save_scan("Y")
    (save_scan("Y") / "Y" / "Y-t2w.nii.gz").write_bytes(b"")
    return save_scan("A")


def test_bad_subjects_are_quarantined_and_never_split(folder: Path, out: Path) -> None:
    cohort = index(folder, out)
    assert [subject.subject for subject in cohort.subjects] == list("ABCDE")
    assert {entry.subject: [str(p.code) for p in entry.problems] for entry in cohort.quarantine} == {
        "X": ["missing_modality"],
        "Y": ["unreadable_file"],
    }
    assert sorted(chain(*load_splits(out / "splits.json").values())) == list("ABCDE")


def test_the_written_cohort_reads_back_and_is_the_same_every_time(folder: Path, out: Path) -> None:
    cohort = index(folder, out)
    text = (out / "cohort.json").read_text()
    assert load_cohort(out / "cohort.json", folder) == cohort
    assert json.loads(text)["schema"] == "semivae-cohort/1"
    assert index(folder, out, workers=2) == cohort
    assert (out / "cohort.json").read_text() == text


def test_the_summary_counts_and_names_every_problem(folder: Path, out: Path, capsys) -> None:
    index(folder, out, progress=True)
    printed = capsys.readouterr().out
    assert "usable           5  4 labelled, 1 unlabelled, of 5 patients" in printed
    assert "quarantined      2" in printed
    assert "X  [missing_modality]" in printed
    assert "Y  [unreadable_file]  Y/Y-t2w.nii.gz" in printed
    assert "-> copy or download the file again" in printed
    assert "index: 100%" in printed


def test_many_problems_of_one_kind_are_cut_short_on_screen_only(save_scan, out: Path, capsys) -> None:
    for number in range(8):
        save_scan(f"X{number}", without=["t1c"])
    cohort = index(save_scan("A"), out, fractions={"train": 1.0})
    assert len(cohort.quarantine) == 8
    assert "and 3 more [missing_modality]" in capsys.readouterr().out


def test_strict_refuses_any_quarantined_subject_after_writing_why(folder: Path, out: Path) -> None:
    with pytest.raises(CohortError, match=r"strict, and 2 subjects are quarantined \(X, Y\)"):
        index(folder, out, strict=True)
    assert len(load_cohort(out / "cohort.json").quarantine) == 2


def test_nothing_usable_is_an_error_with_the_reasons_on_file(save_scan, out: Path) -> None:
    with pytest.raises(CohortError, match="none of 1 subjects is usable"):
        index(save_scan("X", without=["t1c"]), out)
    assert load_cohort(out / "cohort.json").quarantine[0].subject == "X"


def test_one_scan_under_two_names_is_a_warning(save_scan, scan_of, out: Path) -> None:
    for name in "ABC":
        folder = save_scan(name, scan_of(1 if name == "A" else 2))
    (problem,) = index(folder, out).warnings
    assert (problem.code, problem.subject, problem.found) == ("duplicate_subject", "C", "the same voxels as B")


def turned_cohort(save_scan, scan_of) -> Path:
    """Three LPS scans and M, stored RAS with the origin of LPS; 10 mm voxels."""
    lps = np.diag([-10.0, -10, 10, 1])
    lps[1, 3] = 150
    ras = lps * np.array([-1, -1, 1, 1])
    for seed, name in enumerate("ABC"):
        save_scan(name, scan_of(seed), affine=lps)
    turned = {kind: np.ascontiguousarray(data[::-1, ::-1]) for kind, data in scan_of(3).items()}
    return save_scan("M", turned, affine=ras)


def test_axes_against_the_rest_warn_and_keep_the_subject(save_scan, scan_of, out: Path) -> None:
    cohort = index(turned_cohort(save_scan, scan_of), out)
    assert [subject.subject for subject in cohort.subjects] == ["A", "B", "C", "M"]
    assert [(problem.subject, str(problem.code)) for problem in cohort.warnings] == [("M", "ambiguous_orientation")]
    assert "stored as RAS" in cohort.warnings[0].found


def test_an_orientation_override_settles_it_and_reaches_the_reader(save_scan, scan_of, out: Path) -> None:
    folder = turned_cohort(save_scan, scan_of)
    cohort = index(folder, out, orientation={"M": "LPS"})
    subject = cohort.subjects[-1]
    assert (cohort.warnings, subject.orientation) == ((), "LPS")
    as_header, _ = read_mask(folder / str(subject.seg), subject.label_map)
    as_stated, _ = read_mask(folder / str(subject.seg), subject.label_map, subject.orientation)
    np.testing.assert_array_equal(as_stated, as_header[::-1, ::-1])


def test_an_override_for_nobody_is_refused(folder: Path, out: Path) -> None:
    with pytest.raises(CohortError, match="'Q' is not a subject of this cohort"):
        index(folder, out, orientation={"Q": "LPS"})


def test_an_index_is_reused_and_made_only_where_missing(folder: Path, out: Path) -> None:
    cohort = index(folder, out, load_or_index_cohort)
    before = (out / "cohort.json").stat().st_mtime_ns
    assert index(folder, out, load_or_index_cohort) == cohort
    assert (out / "cohort.json").stat().st_mtime_ns == before
    (out / "splits.json").unlink()
    assert index(folder, out, load_or_index_cohort) == cohort
    assert (out / "splits.json").is_file()


def test_subjects_that_came_after_the_index_are_named_and_left_out(folder: Path, out: Path, save_scan, capsys) -> None:
    cohort = index(folder, out)
    assert index(folder, out, load_or_index_cohort) == cohort
    assert "left out" not in capsys.readouterr().out
    for name in ("F", "G", "H", "I"):
        save_scan(name)
    assert index(folder, out, load_or_index_cohort) == cohort
    said = capsys.readouterr().out
    assert "4 subjects came later and are left out: F, G, H and 1 more; " in said
    assert f"{out / 'cohort.json'} has reasons and files, and `index` looks again" in said
    assert "2 subjects are set aside: X, Y; " in said


def test_subjects_whose_files_or_dates_are_others_than_when_indexed_are_named(save_scan, out: Path, capsys) -> None:
    folder = save_scan("A")
    save_scan("B", without=["seg"])
    manifest = folder / "scans.csv"
    row = "{0},2021-0{1}-01,{0}/{0}-t1c.nii.gz,{0}/{0}-{2}.nii.gz,{0}/{0}-{3}.nii.gz,{0}/{0}-t2w.nii.gz\n"
    head = "subject,date,t1c,t1n,t2f,t2w\n"
    manifest.write_text(head + row.format("A", 1, "t2f", "t1n") + row.format("B", 1, "t1n", "t2f"))
    index(folder, out, manifest="scans.csv")
    manifest.write_text(head + row.format("A", 1, "t1n", "t2f") + row.format("B", 2, "t1n", "t2f"))
    index(folder, out, load_or_index_cohort, manifest="scans.csv")
    assert "2 subjects have other files, another mask, date, patient or visit now" in capsys.readouterr().out


def test_a_folder_that_was_moved_away_leaves_the_index(folder: Path, out: Path) -> None:
    cohort = index(folder, out)
    folder.rename(out / "elsewhere")
    assert index(folder, out, load_or_index_cohort) == cohort


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 1}, "indexed with seed 0, now 1"),
        ({"fractions": {"train": 1.0}}, "indexed with fractions"),
        ({"orientation": {"A": "RAS"}}, "indexed with orientation"),
        ({"manifest": "scans.csv"}, "indexed with manifest None, now 'scans.csv'"),
        ({"strict": True}, "strict, and 2 subjects"),
    ],
)
def test_an_index_with_other_options_is_not_passed_over(folder: Path, out: Path, options, words: str) -> None:
    index(folder, out)
    with pytest.raises(CohortError, match=words):
        index(folder, out, load_or_index_cohort, **options)


def test_a_cohort_of_another_folder_or_schema_or_none_says_to_index(folder: Path, out: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"monai\.bundle run index"):
        load_cohort(out / "cohort.json")
    index(folder, out)
    with pytest.raises(CohortError, match="run `index` again for this folder"):
        load_cohort(out / "cohort.json", out)
    (out / "cohort.json").write_text('{"schema": "semivae-cohort/0"}')
    with pytest.raises(CohortError, match="found ValueError: schema 'semivae-cohort/0'"):
        load_cohort(out / "cohort.json")


def test_a_phantom_cohort_is_sound(phantom_dir: Path, out: Path) -> None:
    cohort = index(phantom_dir, out)
    assert (len(cohort.subjects), cohort.quarantine, cohort.warnings) == (8, (), ())
    assert sum(subject.seg is None for subject in cohort.subjects) == 2
    assert cohort.subjects[0].patient == "BraTS-PHM-00000"


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real scans in {REAL}; name their folder in SEMIVAE_REAL_DATA")
def test_the_four_real_subjects_are_usable_with_label_4_mapped_and_the_turned_header_reported(out: Path) -> None:
    cohort = index(REAL, out, workers=-1)
    assert cohort.quarantine == ()
    subjects = {subject.subject: subject for subject in cohort.subjects}
    assert sorted(subjects) == ["BraTS-MET-00110-000", "BrainLesion-case-000", "TCGA-DU-7294", "TCGA-FG-6692"]
    assert subjects["TCGA-FG-6692"].label_map == {0: 0, 1: 1, 2: 2, 4: 3}
    assert subjects["BrainLesion-case-000"].label_map == {0: 0, 1: 1, 2: 2, 3: 3}
    (problem,) = cohort.warnings
    assert (problem.subject, str(problem.code)) == ("BraTS-MET-00110-000", "ambiguous_orientation")
    assert "axes RAS with the same origin (0, 239, 0) mm" in problem.found
    assert problem.found.endswith("the voxels seem to be stored as RAS")
    labels, spacing = read_mask(REAL / str(subjects["TCGA-FG-6692"].seg), subjects["TCGA-FG-6692"].label_map)
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    np.testing.assert_allclose(spacing, 1)


def test_splits_of_another_index_are_refused(save_scan, tmp_path: Path) -> None:
    folder, out = save_scan("A"), tmp_path / "out"
    save_scan("B")
    index(folder, out, load_or_index_cohort)
    # As after an index that was stopped between its two files.
    cohort = json.loads((out / "cohort.json").read_text())
    cohort["subjects"] = cohort["subjects"][:1]
    (out / "cohort.json").write_text(json.dumps(cohort))
    with pytest.raises(
        CohortError, match=r"splits.json: expected the 1 subjects of .*found 2; they differ in B; .*again"
    ):
        index(folder, out, load_or_index_cohort)


@pytest.mark.parametrize("name", ["cohort.json", "splits.json"])
def test_a_file_of_another_kind_is_not_replaced_and_that_is_said_first(
    folder: Path, out: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / name).write_text("my thesis")
    with pytest.raises(ValueError, match=f"{name}: expected no file there, or an earlier one of the kind"):
        index(folder, out)
    assert (out / name).read_text() == "my thesis"
    assert not capsys.readouterr().out


def test_the_cohort_of_a_training_gives_way_to_no_other_folder_but_where_it_was_moved(folder: Path, out: Path) -> None:
    index(folder, out)
    before = (out / "cohort.json").read_text()
    other, weights = Path(shutil.copytree(folder, out / "other")), out / "model.pt"
    weights.touch()
    with pytest.raises(CohortError, match=r"was trained; an index of .*other would replace it; choose another"):
        index(other, out, trained=weights)
    assert (out / "cohort.json").read_text() == before
    index(folder, out, trained=weights)
    folder.rename(out / "moved")
    assert index(out / "moved", out, trained=weights).dataset_dir == out / "moved"
    index(other, out, trained=out / "none.pt")


def test_a_scan_that_was_replaced_after_the_index_stops_every_later_step(folder: Path, out: Path) -> None:
    cohort = index(folder, out)
    file = folder / "B" / "B-t1c.nii.gz"
    os.utime(file, ns=(0, 0))
    assert index(folder, out, load_or_index_cohort) == cohort
    file.write_bytes((folder / "C" / "C-t1c.nii.gz").read_bytes())
    with pytest.raises(
        CohortError, match=r"other content in 1 files of 1 subjects \(B\), such as B/B-t1c.nii.gz; put .*index"
    ):
        index(folder, out, load_or_index_cohort)
    index(folder, out)
    index(folder, out, load_or_index_cohort)


def test_an_index_of_an_earlier_version_knows_no_states_and_is_taken(folder: Path, out: Path) -> None:
    index(folder, out)
    record = json.loads((out / "cohort.json").read_text())
    del record["files"]
    (out / "cohort.json").write_text(json.dumps(record))
    assert index(folder, out, load_or_index_cohort).files == {}


@pytest.mark.parametrize("call", [index_cohort, load_or_index_cohort])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 1.5}, "seed: expected a whole number, found 1.5"),
        ({"fractions": 0.7}, r"split_fractions: expected a mapping such as .*, found 0.7"),
        ({"orientation": "LPS"}, r"orientation: expected a mapping such as .*, found 'LPS'; name"),
        ({"fov_mm": [-240, 240, 240]}, r"fov_mm: expected three lengths in mm above 0, .* found \[-240, 240, 240\]"),
        ({"fov_mm": 240.0}, r"fov_mm: expected three lengths in mm above 0, .* found 240.0"),
        ({"workers": 0}, "workers: expected a whole number from 1"),
    ],
)
def test_an_option_of_another_kind_is_refused_before_any_scan_is_read(tmp_path: Path, call, options, words) -> None:
    with pytest.raises(ValueError, match=words):
        index(tmp_path / "nowhere", tmp_path, call, **options)
