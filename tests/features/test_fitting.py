"""A normalizer is fitted on the training split alone and refuses anything else."""

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.features.fitting import (
    check_matches,
    fit_and_write_normalizer,
    fit_normalizer,
    load_or_fit_normalizer,
)
from semivae_bundle.features.schema import SENTINEL

TARGETS = {"vol": ["vol_total", "vol_et"], "loc": ["loc_x_total"], "shape": ["surface_total", "sphericity_total"]}
RESIDUALISE = {"vol_total": ["surface_total"]}
TRAIN = [f"t{i}" for i in range(40)]
SPLITS = {"train": [*TRAIN, "unlabelled"], "validation": ["v0", "v1"], "test": ["e0"]}


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    subjects = [*TRAIN, "v0", "v1", "e0"]
    volume = rng.normal(11, 1, len(subjects))
    table = pd.DataFrame(
        {
            "vol_total": volume,
            "vol_et": rng.normal(9, 1, len(subjects)),
            "loc_x_total": rng.uniform(0.3, 0.7, len(subjects)),
            "surface_total": 1 + 0.4 * volume + 0.02 * volume**2 + rng.normal(0, 0.1, len(subjects)),
            "sphericity_total": rng.uniform(0.4, 0.9, len(subjects)),
            "has_total": 1.0,
            "has_et": 1.0,
            "fov_x_mm": 240.0,
            "fov_y_mm": 240.0,
            "fov_z_mm": 240.0,
        },
        index=pd.Index(subjects, name="subject"),
    )
    table.loc[["t3", "v1"], ["vol_et", "has_et"]] = SENTINEL, 0.0
    return table


def test_training_values_have_mean_0_and_deviation_1(features):
    values, present = fit_normalizer(features, SPLITS, TARGETS).transform(features.loc[TRAIN])
    means = [column[known].mean() for column, known in zip(values.T, present.T, strict=True)]
    deviations = [column[known].std() for column, known in zip(values.T, present.T, strict=True)]
    assert means == pytest.approx([0] * 5, abs=1e-5) and deviations == pytest.approx([1] * 5, abs=1e-5)


def test_columns_follow_the_targets(features):
    normalizer = fit_normalizer(features, SPLITS, TARGETS)
    assert normalizer.columns == ("vol_total", "vol_et", "loc_x_total", "surface_total", "sphericity_total")
    assert [scale.partition for scale in normalizer.scales] == ["vol", "vol", "loc", "shape", "shape"]
    assert [scale.subjects for scale in normalizer.scales] == [40, 39, 40, 40, 40]
    assert normalizer.fov_mm == (240.0, 240.0, 240.0)


def test_other_splits_do_not_enter_the_fit(features):
    changed = features.copy()
    changed.loc[["v0", "v1", "e0"], "vol_total"] = 1000.0
    assert fit_normalizer(changed, SPLITS, TARGETS) == fit_normalizer(features, SPLITS, TARGETS)


@pytest.mark.parametrize("degree", [1, 2])
def test_residualised_column_is_uncorrelated_with_the_regressor(features, degree):
    normalizer = fit_normalizer(features, SPLITS, TARGETS, residualise=RESIDUALISE, degree=degree)
    values, _ = normalizer.transform(features.loc[TRAIN])
    powers = np.stack([values[:, 0] ** k for k in range(1, degree + 1)])
    assert np.corrcoef(values[:, 3], powers)[0, 1:] == pytest.approx([0] * degree, abs=1e-4)


def test_quadratic_regression_leaves_less_than_a_linear_one(features):
    linear, quadratic = (
        fit_normalizer(features, SPLITS, TARGETS, residualise=RESIDUALISE, degree=degree).scales[3].std
        for degree in (1, 2)
    )
    assert quadratic < linear < fit_normalizer(features, SPLITS, TARGETS).scales[3].std
    assert quadratic == pytest.approx(0.1, rel=0.3)


def test_residualised_round_trip(features):
    normalizer = fit_normalizer(features, SPLITS, TARGETS, residualise=RESIDUALISE, degree=2)
    values, present = normalizer.transform(features)
    raw = features[list(normalizer.columns)].to_numpy()
    np.testing.assert_allclose(normalizer.inverse(values)[present], raw[present], rtol=1e-6)


def test_constant_column_is_named(features):
    features["sphericity_total"] = 0.7
    with pytest.raises(ValueError, match="sphericity_total: the same value in all 40 training subjects"):
        fit_normalizer(features, SPLITS, TARGETS)


def test_column_that_is_only_its_regression_is_named(features):
    features["surface_total"] = 2 * features["vol_total"] + 1
    with pytest.raises(ValueError, match="surface_total: the same value"):
        fit_normalizer(features, SPLITS, TARGETS, residualise=RESIDUALISE)


def test_too_few_present_subjects_are_named(features):
    features.loc[TRAIN[2:], ["vol_et", "has_et"]] = SENTINEL, 0.0
    with pytest.raises(ValueError, match=r"vol_et: expected at least 3 .* found 2 of 40"):
        fit_normalizer(features, SPLITS, TARGETS)


@pytest.mark.parametrize(("degree", "fewest"), [(1, 7), (2, 10)])
def test_a_regression_takes_more_subjects_than_a_mean(features, degree, fewest):
    few = {**SPLITS, "train": TRAIN[:fewest]}
    fit_normalizer(features, few, TARGETS, residualise=RESIDUALISE, degree=degree)
    few["train"] = TRAIN[: fewest - 1]
    said = rf"of degree {degree} on vol_total takes at least {fewest} .* found {fewest - 1}; pass --residualise "
    with pytest.raises(ValueError, match=f"surface_total: a regression {said}"):
        fit_normalizer(features, few, TARGETS, residualise=RESIDUALISE, degree=degree)
    fit_normalizer(features, few, TARGETS)


def test_what_the_fewest_subjects_leave_of_a_regression_has_about_the_scale_that_it_is_drawn_with(features):
    tens = ({**SPLITS, "train": TRAIN[start : start + 10]} for start in range(0, 40, 10))
    fits = [fit_normalizer(features, ten, TARGETS, residualise=RESIDUALISE, degree=2) for ten in tens]
    assert np.mean([fit.scales[3].std for fit in fits]) == pytest.approx(0.1, rel=0.35)


def test_all_columns_that_cannot_be_fitted_are_named_at_once(features):
    features.loc[TRAIN[2:], ["vol_et", "has_et"]] = SENTINEL, 0.0
    features["sphericity_total"] = 0.7
    with pytest.raises(ValueError, match=rf"2 of {sum(map(len, TARGETS.values()))} targets") as caught:
        fit_normalizer(features, SPLITS, TARGETS)
    assert "vol_et: expected at least 3" in str(caught.value)
    assert "sphericity_total: the same value" in str(caught.value)


def test_regressor_with_one_value_is_named(features):
    features.loc[TRAIN, "vol_total"] = 11.0
    with pytest.raises(ValueError, match="surface_total: vol_total has too few different values"):
        fit_normalizer(features, SPLITS, {"shape": ["surface_total", "vol_total"]}, residualise=RESIDUALISE)


@pytest.mark.parametrize(
    ("targets", "residualise", "degree", "message"),
    [
        ({"vol": ["vol_total", "vol_total"]}, {}, 1, "vol_total: named twice"),
        ({"vol": ["has_et"]}, {}, 1, "it is a mask, not a target"),
        ({"vol": ["volume"]}, {}, 1, "unknown feature column 'volume'"),
        ({}, {}, 1, "no target column is named"),
        ({"shape": ["surface_total"]}, RESIDUALISE, 1, "both must be targets"),
        (TARGETS, {"vol_total": ["loc_x_total"]}, 1, "a location changes when the image is flipped"),
        (TARGETS, {"vol_total": ["surface_total"], "surface_total": ["sphericity_total"]}, 1, "itself residualised"),
        (TARGETS, RESIDUALISE, 3, "degree: expected 1 or 2, found 3"),
    ],
)
def test_senseless_choice_of_columns_is_refused(features, targets, residualise, degree, message):
    with pytest.raises(ValueError, match=message):
        fit_normalizer(features, SPLITS, targets, residualise=residualise, degree=degree)


def test_mixed_fields_of_view_are_refused(features):
    features.loc["t0", "fov_x_mm"] = 200.0
    with pytest.raises(ValueError, match="one field of view for all training subjects"):
        fit_normalizer(features, SPLITS, TARGETS)


def test_split_without_training_is_refused(features):
    with pytest.raises(ValueError, match="expected a split called 'train'"):
        fit_normalizer(features, {"test": ["e0"]}, TARGETS)


def test_what_it_was_fitted_on_matches(features):
    normalizer = fit_normalizer(features, SPLITS, TARGETS, residualise=RESIDUALISE)
    check_matches(normalizer, features.iloc[::-1], SPLITS, TARGETS, residualise=RESIDUALISE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"splits": {**SPLITS, "train": TRAIN[1:]}}, "split: fitted on"),
        ({"targets": {"vol": ["vol_total"]}}, "targets: fitted on"),
        ({"residualise": {}}, "residualised columns: fitted on"),
        ({"degree": 2}, "degree of the regression: fitted on 1, now 2"),
    ],
)
def test_every_difference_is_refused_with_the_remedy(features, change, message):
    settings = {"splits": SPLITS, "targets": TARGETS, "residualise": RESIDUALISE, "degree": 1}
    normalizer = fit_normalizer(features, **settings)
    with pytest.raises(ValueError, match=message) as raised:
        check_matches(normalizer, features, **{**settings, **change})
    assert "refit with: python -m monai.bundle run precompute" in str(raised.value)


def test_changed_measurement_of_a_training_subject_is_refused(features):
    normalizer = fit_normalizer(features, SPLITS, TARGETS)
    check_matches(normalizer, features.assign(vol_ed=3.0), SPLITS, TARGETS)
    features.loc["t0", "vol_et"] += 1e-9
    with pytest.raises(ValueError, match="measurements of the training subjects: fitted on"):
        check_matches(normalizer, features, SPLITS, TARGETS)


def test_training_fits_what_is_missing_and_reads_what_is_there(features, tmp_path):
    path = tmp_path / "out" / "normalizer.json"
    first = load_or_fit_normalizer(features, SPLITS, path, TARGETS, residualise=RESIDUALISE, degree=2)
    written = path.stat().st_mtime_ns
    assert load_or_fit_normalizer(features, SPLITS, path, TARGETS, residualise=RESIDUALISE, degree=2) == first
    assert path.stat().st_mtime_ns == written


def test_training_refuses_a_file_from_another_split_and_precompute_replaces_it(features, tmp_path):
    path = tmp_path / "normalizer.json"
    fit_and_write_normalizer(features, {**SPLITS, "train": TRAIN[5:]}, path, TARGETS)
    with pytest.raises(ValueError, match=r"(?s)normalizer.json: the normalizer was .* split: fitted on"):
        load_or_fit_normalizer(features, SPLITS, path, TARGETS)
    fit_and_write_normalizer(features, SPLITS, path, TARGETS)
    assert load_or_fit_normalizer(features, SPLITS, path, TARGETS).scales[0].subjects == 40


def test_a_file_that_is_no_normalizer_is_not_replaced(features, tmp_path):
    file = tmp_path / "thesis.txt"
    file.write_text("my thesis")
    with pytest.raises(ValueError, match=r"thesis.txt: expected no file there, .*'semivae-normalizer' stands"):
        fit_and_write_normalizer(features, SPLITS, file, TARGETS)
    assert file.read_text() == "my thesis"


def test_the_normalizer_of_weights_is_not_replaced(features, tmp_path):
    file = tmp_path / "normalizer.json"
    fit_and_write_normalizer(features, SPLITS, file, TARGETS)
    before = file.read_bytes()
    (tmp_path / "model.pt").touch()
    with pytest.raises(ValueError, match=r"normalizer.json: .*found the normalizer of .*model.pt, .*pass another"):
        fit_and_write_normalizer(features, {**SPLITS, "train": TRAIN[5:]}, file, TARGETS)
    assert file.read_bytes() == before
    assert load_or_fit_normalizer(features, SPLITS, file, TARGETS).fitted_on
