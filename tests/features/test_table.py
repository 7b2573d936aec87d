"""The features table is measured once per changed mask, and says what it was made from."""

import logging
from dataclasses import replace

import joblib
import nibabel
import numpy as np
import pandas as pd
import pytest

from semivae_bundle import __version__
from semivae_bundle.data.cohort import Cohort
from semivae_bundle.data.subjects import MODALITIES, ImageRef, Subject
from semivae_bundle.features import table as table_module
from semivae_bundle.features.measure import measure_mask
from semivae_bundle.features.schema import COLUMNS, SCHEMA_VERSION
from semivae_bundle.features.table import load_features, measure_cohort

FOV_MM = (16.0, 16.0, 16.0)
BRATS_2023 = {0: 0, 1: 1, 2: 2, 3: 3}


def write_mask(path, size):
    mask = np.zeros((8, 8, 8), dtype=np.uint8)
    mask[1 : 1 + size, 1:4, 1:3] = 2
    mask[1, 1, 1] = 3
    nibabel.save(nibabel.Nifti1Image(mask, np.diag([2.0, 2.0, 2.0, 1.0])), path)


def subject(name, seg=True):
    images = {modality: ImageRef(f"{name}-{modality}.nii.gz") for modality in MODALITIES}
    return Subject(name, name, "000", None, images, f"{name}-seg.nii.gz" if seg else None, BRATS_2023)


@pytest.fixture
def cohort(tmp_path):
    for size, name in enumerate(["p2", "p1", "p3"], start=2):
        write_mask(tmp_path / f"{name}-seg.nii.gz", size)
    return Cohort(tmp_path, (subject("p2"), subject("p1"), subject("p3"), subject("p4", seg=False)), (), ())


@pytest.fixture
def measured(monkeypatch):
    """Names of the subjects that are measured, in this process so that they can be seen."""
    names = []

    def spy(one, *args):
        names.append(one.subject)
        return real(one, *args)

    real = table_module.measure_subject
    monkeypatch.setattr(table_module, "measure_subject", spy)
    return names


def measure(cohort, **options):
    settings = {"fov_mm": FOV_MM, "workers": 1, "progress": False} | options
    return measure_cohort(cohort, cohort.dataset_dir / "out" / "features.csv", **settings)


def test_rows_are_the_labelled_subjects_sorted(cohort):
    assert measure(cohort).index.tolist() == ["p1", "p2", "p3"]


def test_row_is_the_measurement_of_the_mask(cohort):
    mask = np.asarray(nibabel.load(cohort.dataset_dir / "p3-seg.nii.gz").dataobj)
    expected = measure_mask(mask, (2.0, 2.0, 2.0), fov_mm=FOV_MM)
    assert measure(cohort).loc["p3", list(COLUMNS)].to_dict() == expected


def test_row_says_what_it_was_made_from(cohort):
    row = measure(cohort).loc["p1"]
    assert (row["schema_version"], row["package_version"]) == (SCHEMA_VERSION, __version__)
    assert row[["fov_x_mm", "fov_y_mm", "fov_z_mm"]].tolist() == list(FOV_MM)
    assert row[["spacing_x_mm", "spacing_y_mm", "spacing_z_mm"]].tolist() == [2.0, 2.0, 2.0]
    assert row["label_map"] == '{"0": 0, "1": 1, "2": 2, "3": 3}' and len(row["mask_sha256"]) == 64


def test_table_on_disk_is_the_table_returned_to_the_last_bit(cohort):
    table = measure(cohort)
    pd.testing.assert_frame_equal(load_features(cohort.dataset_dir / "out" / "features.csv"), table, check_exact=True)


def test_unchanged_subjects_are_not_measured_again(cohort, measured):
    first = measure(cohort)
    measured.clear()
    pd.testing.assert_frame_equal(measure(cohort), first)
    assert measured == []


def test_changed_mask_is_measured_again(cohort, measured):
    before = measure(cohort)
    measured.clear()
    write_mask(cohort.dataset_dir / "p1-seg.nii.gz", 6)
    after = measure(cohort)
    assert measured == ["p1"]
    assert after.loc["p1", "vol_total"] > before.loc["p1", "vol_total"]


def test_new_field_of_view_measures_all_again(cohort, measured):
    before = measure(cohort)
    measured.clear()
    after = measure(cohort, fov_mm=(32.0, 32.0, 32.0))
    assert sorted(measured) == ["p1", "p2", "p3"]
    assert after.loc["p1", "loc_x_total"] - 0.5 == pytest.approx((before.loc["p1", "loc_x_total"] - 0.5) / 2)


@pytest.mark.parametrize("change", [{"label_map": {0: 0, 1: 1, 2: 2, 3: 2}}, {"orientation": "LPS"}])
def test_other_reading_of_a_mask_measures_it_again(cohort, measured, change):
    measure(cohort)
    measured.clear()
    first, *others = cohort.subjects
    measure(replace(cohort, subjects=(replace(first, **change), *others)))
    assert measured == ["p2"]


def test_new_schema_version_measures_all_again(cohort, measured, monkeypatch, caplog):
    measure(cohort)
    measured.clear()
    monkeypatch.setattr(table_module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    assert set(measure(cohort)["schema_version"]) == {SCHEMA_VERSION + 1}
    assert sorted(measured) == ["p1", "p2", "p3"]
    assert "every subject is measured anew" in caplog.text


def test_subject_that_left_the_cohort_is_dropped_and_said(cohort, caplog):
    measure(cohort)
    with caplog.at_level(logging.INFO):
        table = measure(replace(cohort, subjects=cohort.subjects[1:]))
    assert table.index.tolist() == ["p1", "p3"]
    assert "dropped 1 subjects not labelled in the cohort any more: ['p2']" in caplog.text


def test_all_failing_masks_are_named_at_once_and_the_good_row_is_saved(cohort):
    (cohort.dataset_dir / "p1-seg.nii.gz").write_bytes(b"not a mask")
    (cohort.dataset_dir / "p3-seg.nii.gz").unlink()
    with pytest.raises(ValueError, match=r"2 of 3 masks could not be measured(.|\n)*p1: (.|\n)*p3: FileNotFoundError"):
        measure(cohort)
    assert load_features(cohort.dataset_dir / "out" / "features.csv").index.tolist() == ["p2"]


def test_run_that_is_cut_off_keeps_what_it_saved(cohort, measured, monkeypatch):
    monkeypatch.setattr(table_module, "SUBJECTS_PER_SAVE", 1)
    spy = table_module.measure_subject

    def dies_on_p3(one, *args):
        if one.subject == "p3":
            raise KeyboardInterrupt
        return spy(one, *args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(table_module, "measure_subject", dies_on_p3)
        measure(cohort)
    measured.clear()
    assert measure(cohort).index.tolist() == ["p1", "p2", "p3"]
    assert measured == ["p3"]


def test_cohort_without_masks_gives_an_empty_table(cohort):
    table = measure(replace(cohort, subjects=cohort.subjects[3:]))
    assert table.empty and "vol_total" in table.columns


def test_workers_do_not_change_the_table(cohort):
    one = measure(cohort)
    (cohort.dataset_dir / "out" / "features.csv").unlink()
    pd.testing.assert_frame_equal(measure(cohort, workers=2), one, check_exact=True)


def test_missing_table_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"monai.bundle run precompute"):
        load_features(tmp_path / "features.csv")


def test_other_csv_is_no_features_table(tmp_path):
    (tmp_path / "features.csv").write_text("subject,age\na,3\n")
    with pytest.raises(ValueError, match="not a features table"):
        load_features(tmp_path / "features.csv")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::UserWarning:distributed.*")
def test_dask_cluster_measures_the_same_table(cohort, monkeypatch):
    distributed = pytest.importorskip("distributed")
    here = measure(cohort)
    (cohort.dataset_dir / "out" / "features.csv").unlink()
    # The workers import their own, whole, module: a measurement in this process would fail.
    monkeypatch.setattr(table_module, "measure_mask", None)
    cluster = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.Client(**cluster), joblib.parallel_config(backend="dask"):
        there = measure(cohort, workers=None)
    pd.testing.assert_frame_equal(there, here, check_exact=True)


def test_a_person_s_table_is_not_replaced(cohort, measured):
    file = cohort.dataset_dir / "out" / "features.csv"
    file.parent.mkdir()
    file.write_text("subject,age\np1,3\n")
    with pytest.raises(ValueError, match="an earlier one of the kind that is written, in which 'mask_sha256' stands"):
        measure(cohort)
    assert file.read_text() == "subject,age\np1,3\n"
    assert not measured


def test_a_table_that_holds_may_lie_where_nobody_may_write(cohort, measured, monkeypatch):
    def refuse(*_arguments):
        raise ValueError("expected a folder to write to")

    before = measure(cohort)
    monkeypatch.setattr(table_module, "require_place", refuse)
    pd.testing.assert_frame_equal(measure(cohort), before)
    measured.clear()
    with pytest.raises(ValueError, match="expected a folder to write to"):
        measure(cohort, fov_mm=(16.0, 16.0, 20.0))
    assert not measured
