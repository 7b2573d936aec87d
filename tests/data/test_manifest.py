"""The CSV manifest."""

from pathlib import Path

import pytest

from semivae_bundle.data.checks import inspect_subject
from semivae_bundle.data.layouts import find_subjects
from semivae_bundle.data.problems import CohortError

HEADER = "subject,visit,date,t1c,t1n,t2f,t2w,seg\n"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    (folder / "scans.csv").write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8-sig")
    return folder


def row(name: str, visit: str = "", date: str = "", seg: bool = True) -> str:
    images = [f"files/x{name}{kind}.nii.gz" for kind in ("t1c", "t1n", "t2f", "t2w")]
    return ",".join([name.strip("_"), visit, date, *images, f"files/x{name}seg.nii.gz" if seg else ""])


@pytest.fixture
def folder(save_scan) -> Path:
    save_scan("A_", pattern="files/x{name}{kind}.nii.gz")
    return save_scan("B_", pattern="files/x{name}{kind}.nii.gz")


def test_rows_become_subjects_with_dates_and_relative_paths(folder: Path) -> None:
    write(folder, row("A_", date="2021-02-03"), row("B_", seg=False).replace("files", str(folder / "files")))
    first, second = (inspect_subject(found, folder).subject for found in find_subjects(folder, "scans.csv"))
    assert first is not None and second is not None
    assert (first.subject, first.date, first.seg) == ("A", "2021-02-03", "files/xA_seg.nii.gz")
    assert (second.subject, second.date, second.seg) == ("B", None, None)
    assert second.images["t2w"].path == "files/xB_t2w.nii.gz"


def test_visits_of_one_patient_share_the_patient_and_get_names_of_their_own(folder: Path) -> None:
    second = row("B_", visit="2").replace("B,", "A,", 1)
    write(
        folder, row("A_", visit="1"), second, row("A_").replace("A,", "BraTS-GLI-00001-003,003", 1).replace(",,,", ",,")
    )
    found = find_subjects(folder, folder / "scans.csv")
    assert [(one.subject, one.patient, one.visit) for one in found] == [
        ("A-1", "A", "1"),
        ("A-2", "A", "2"),
        ("BraTS-GLI-00001-003", "BraTS-GLI-00001", "003"),
    ]


def test_a_visit_that_is_called_as_the_first_is_by_default_is_part_of_the_name_too(folder: Path) -> None:
    write(folder, row("A_", visit="000"), row("B_", visit="001").replace("B,", "A,", 1))
    found = find_subjects(folder, folder / "scans.csv")
    assert [(one.subject, one.patient, one.visit) for one in found] == [("A-000", "A", "000"), ("A-001", "A", "001")]


def test_missing_files_bad_names_and_bad_dates_are_reported_together(folder: Path) -> None:
    rows = [
        row("A_", date="3.2.2021"),
        row("B_").replace("B,", "../B,", 1),
        row("C_"),
        row("A_").replace("A,", "D,", 1),
    ]
    write(folder, *rows[:3], rows[3].replace("files/xA_t1c.nii.gz", ""))
    inspections = {found.subject: inspect_subject(found, folder) for found in find_subjects(folder, "scans.csv")}
    codes = {name: [problem.code.value for problem in one.problems] for name, one in inspections.items()}
    assert codes == {
        "../B": ["unusable_name"],
        "A": ["invalid_date"],
        "C": ["missing_modality"] * 4 + ["missing_mask"],
        "D": ["missing_modality"],
    }
    assert inspections["A"].subject is not None and inspections["A"].subject.date is None
    assert inspections["C"].problems[0].file == "files/xC_t1c.nii.gz"


def test_a_row_listed_twice_is_quarantined(folder: Path) -> None:
    write(folder, row("A_"), row("A_"))
    (found,) = find_subjects(folder, "scans.csv")
    assert [problem.code for problem in inspect_subject(found, folder).problems] == ["duplicate_name"]


def test_a_manifest_without_its_columns_or_rows_or_file_says_so(folder: Path) -> None:
    write(folder, "A,x", header="subject,t1c\n")
    with pytest.raises(CohortError, match="add t1n, t2f, t2w"):
        find_subjects(folder, "scans.csv")
    with pytest.raises(CohortError, match="expected one row per scan, found none"):
        find_subjects(write(folder), "scans.csv")
    with pytest.raises(FileNotFoundError, match=r"none at absent\.csv"):
        find_subjects(folder, "absent.csv")


def test_the_case_of_a_column_does_not_matter_and_columns_that_nothing_reads_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = HEADER.replace("date", "Date").replace("seg", "Segmentation")
    (found,) = find_subjects(write(folder, row("A_", date="2021-02-03"), header=header), "scans.csv")
    assert (found.date, found.segs) == ("2021-02-03", ())
    assert "columns that nothing reads: segmentation; optional are visit, date, seg" in capsys.readouterr().out


def test_a_manifest_that_is_not_in_utf_8_says_so(folder: Path) -> None:
    (folder / "scans.csv").write_bytes((HEADER + row("M\u00fcller")).encode("latin-1"))
    with pytest.raises(CohortError, match=r"scans.csv: expected a CSV file in UTF-8, found byte 0xfc .*CSV UTF-8"):
        find_subjects(folder, "scans.csv")


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(folder: Path, mark: str, word: str) -> None:
    write(folder, row("A_").replace(",", mark), header=HEADER.replace(",", mark))
    with pytest.raises(CohortError, match=f"separated by commas, found {word}; save it as CSV with commas"):
        find_subjects(folder, "scans.csv")


def test_a_column_that_is_there_twice_is_refused(folder: Path) -> None:
    write(folder, row("A_"), header=HEADER.replace("seg", "T2W"))
    with pytest.raises(CohortError, match="expected each column once, found several called t2w; keep the right one"):
        find_subjects(folder, "scans.csv")


def test_cells_beyond_the_header_are_refused_unless_they_are_empty(folder: Path) -> None:
    assert len(find_subjects(write(folder, row("A_") + ",, ", row("B_")), "scans.csv")) == 2
    write(folder, row("A_"), row("B_") + ",a note")
    with pytest.raises(CohortError, match=r"expected 8 cells in a row, as its header has, found more in line 3; put a"):
        find_subjects(folder, "scans.csv")


def test_a_path_with_backslashes_is_told_to_be_written_with_slashes(folder: Path) -> None:
    write(folder, row("A_").replace("files/xA_t1n", "files\\xA_t1n"))
    (found,) = find_subjects(folder, "scans.csv")
    (problem,) = inspect_subject(found, folder).problems
    assert (problem.code, problem.found) == ("missing_modality", "no such file")
    assert problem.remedy == "write its path in the list with / in place of \\"
