"""Fit a normalizer on the training split, and refuse one that was fitted on something else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.polynomial.polynomial import polyfit, polyval

from semivae_bundle.data.places import require_place
from semivae_bundle.data.splits import split_hash
from semivae_bundle.features.normalizer import FORMAT, REFIT, ColumnScale, Normalizer, present_values
from semivae_bundle.features.schema import feature_of, presence_column
from semivae_bundle.features.table import FOV_COLUMNS

FEWEST_SUBJECTS = 3
# Of a regression: with fewer for each coefficient it follows the noise, and what it leaves is too small a scale.
SUBJECTS_PER_COEFFICIENT = 3
# Standard deviation over magnitude below which a column is a constant plus rounding.
CONSTANT = 1e-9

Columns = Mapping[str, Sequence[str]]


def fit_normalizer(
    features: pd.DataFrame, splits: Columns, targets: Columns, *, residualise: Columns | None = None, degree: int = 1
) -> Normalizer:
    """Fit on the labelled subjects of `splits["train"]`, i.e. those with a row in `features`.

    `targets`: partition -> columns. `residualise`: regressor -> columns whose regression on it, of `degree` 1 or 2, is
    taken away, e.g. {"vol_total": ["surface_total"]}. Raises a ValueError that names every column that has fewer
    present subjects than `fewest_subjects` or does not vary, or when the choice of columns makes no sense.
    """
    pairs, regressors = _pairs(targets), _regressors(residualise)
    _check_choice([column for _, column in pairs], regressors, degree)
    training = _training_rows(features, splits)
    scales, problems = [], []
    for partition, column in pairs:
        try:
            scales.append(_fit_column(training, partition, column, regressors.get(column), degree))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        lines = "\n  ".join(problems)
        raise ValueError(
            f"normalizer: {len(problems)} of {len(pairs)} targets cannot be fitted:\n  {lines}\n"
            "Add labelled subjects; or take these columns out of `targets` (or of `residualise`), while the size of a "
            "partition has to stay a multiple of its number of features; or train nothing and use the weights in "
            "models/ (infer, and the recipe shipped to evaluate them)."
        )
    return Normalizer(
        scales=tuple(scales),
        degree=degree,
        fov_mm=_field_of_view(training),
        split_sha256=split_hash(splits),
        features_sha256=_features_sha256(training, [column for _, column in pairs]),
    )


def fit_and_write_normalizer(
    features: pd.DataFrame,
    splits: Columns,
    normalizer_file: str | Path,
    targets: Columns,
    *,
    residualise: Columns | None = None,
    degree: int = 1,
) -> Normalizer:
    """Fit anew and write, in place of any earlier normalizer but that of weights: what `precompute` does."""
    require_place(normalizer_file, FORMAT.partition("/")[0])
    if (weights := Path(normalizer_file).with_name("model.pt")).is_file():
        raise ValueError(
            f"{normalizer_file}: expected a file that may be replaced, found the normalizer of {weights}, whose "
            "features nothing else can read; pass another --normalizer_file, such as OUTPUTS/normalizer.json"
        )
    normalizer = fit_normalizer(features, splits, targets, residualise=residualise, degree=degree)
    normalizer.to_json(normalizer_file)
    return normalizer


def load_or_fit_normalizer(
    features: pd.DataFrame,
    splits: Columns,
    normalizer_file: str | Path,
    targets: Columns,
    *,
    residualise: Columns | None = None,
    degree: int = 1,
) -> Normalizer:
    """Read the file, and raise where it does not match; fit and write where there is none: what `training` does."""
    if not Path(normalizer_file).is_file():
        return fit_and_write_normalizer(
            features, splits, normalizer_file, targets, residualise=residualise, degree=degree
        )
    normalizer = Normalizer.from_json(normalizer_file)
    try:
        check_matches(normalizer, features, splits, targets, residualise=residualise, degree=degree)
    except ValueError as error:
        raise ValueError(f"{normalizer_file}: {error}") from error
    return normalizer


def check_matches(
    normalizer: Normalizer,
    features: pd.DataFrame,
    splits: Columns,
    targets: Columns,
    *,
    residualise: Columns | None = None,
    degree: int = 1,
) -> None:
    """Raise a ValueError that names every difference between what `normalizer` was fitted on and what is asked for."""
    regressors = _regressors(residualise)
    fitted_regressors = {scale.column: scale.regressor for scale in normalizer.scales if scale.regressor is not None}
    pairs = [(scale.partition, scale.column) for scale in normalizer.scales]
    compared: dict[str, tuple[object, object]] = {
        "split": (normalizer.split_sha256, split_hash(splits)),
        "targets": (pairs, _pairs(targets)),
        "residualised columns": (fitted_regressors, regressors),
        "degree of the regression": (normalizer.degree if fitted_regressors else degree, degree),
        "measurements of the training subjects": (
            normalizer.features_sha256,
            _features_sha256(_training_rows(features, splits), normalizer.columns),
        ),
    }
    differences = [f"  {what}: fitted on {old}, now {new}" for what, (old, new) in compared.items() if old != new]
    if differences:
        raise ValueError("the normalizer was fitted on something else:\n" + "\n".join(differences) + f"\n{REFIT}")


def _fit_column(training: pd.DataFrame, partition: str, column: str, regressor: str | None, degree: int) -> ColumnScale:
    values, present = present_values(training, column)
    on, on_present = present_values(training, column if regressor is None else regressor)
    present = present & on_present
    if present.sum() < FEWEST_SUBJECTS:
        raise ValueError(
            f"{column}: expected at least {FEWEST_SUBJECTS} labelled training subjects in whom the region is present, "
            f"found {present.sum()} of {len(training)}"
        )
    if regressor is not None and present.sum() < fewest_subjects(degree):
        raise ValueError(
            f"{column}: a regression of degree {degree} on {regressor} takes at least {fewest_subjects(degree)} "
            f'labelled training subjects, found {present.sum()}; pass --residualise "{{}}", or a lower '
            "residualise_degree, or label more scans"
        )
    coefficients: tuple[float, ...] = ()
    magnitude = np.abs(values[present]).max()
    if regressor is not None:
        if len(np.unique(on[present])) <= degree:
            raise ValueError(f"{column}: {regressor} has too few different values for a regression of degree {degree}")
        coefficients = tuple(float(value) for value in polyfit(on[present], values[present], degree))
        values = values - polyval(on, coefficients)
    mean, std = float(values[present].mean()), float(values[present].std())
    if std <= CONSTANT * magnitude:
        raise ValueError(
            f"{column}: the same value in all {present.sum()} training subjects, so it cannot be standardised"
        )
    return ColumnScale(column, partition, mean, std, int(present.sum()), regressor, coefficients)


def fewest_subjects(degree: int) -> int:
    """How many a regression of this degree is fitted on at the least: 7 for a line, 10 for a parabola."""
    return max(FEWEST_SUBJECTS, SUBJECTS_PER_COEFFICIENT * (degree + 1) + 1)


def _check_choice(columns: Sequence[str], regressors: Mapping[str, str], degree: int) -> None:
    """Raise one ValueError with everything that is wrong with the choice of columns."""
    problems = [f"{column}: named twice" for column in sorted(set(columns)) if columns.count(column) > 1]
    for column in columns:
        if feature_of(column).partition == "presence":
            problems.append(f"{column}: says whether a region exists; it is a mask, not a target")
    for column, regressor in regressors.items():
        if column not in columns or regressor not in columns:
            problems.append(f"{column} on {regressor}: both must be targets, so that the regression can be undone")
        if regressor in regressors:
            problems.append(f"{column} on {regressor}: the regressor is itself residualised")
        if feature_of(column).axis is not None or feature_of(regressor).axis is not None:
            problems.append(
                f"{column} on {regressor}: a location changes when the image is flipped, so it cannot take part"
            )
    if not columns:
        problems.append("no target column is named")
    if degree not in (1, 2):
        problems.append(f"degree: expected 1 or 2, found {degree!r}")
    if problems:
        raise ValueError("targets of the normalizer:\n  " + "\n  ".join(problems))


def _training_rows(features: pd.DataFrame, splits: Columns) -> pd.DataFrame:
    """Rows of the labelled training subjects, sorted, so that the order of the split does not matter."""
    if "train" not in splits:
        raise ValueError(f"splits: expected a split called 'train', found {sorted(splits)}; run `index` again")
    return features.loc[sorted(set(splits["train"]) & set(features.index))]


def _features_sha256(training: pd.DataFrame, columns: Sequence[str]) -> str:
    """Hash of what the fit sees of the table: the columns, which of them are present, and the field of view."""
    names = list(dict.fromkeys([*columns, *map(presence_column, columns), *FOV_COLUMNS]))
    return hashlib.sha256(training[names].to_csv(lineterminator="\n").encode()).hexdigest()


def _field_of_view(training: pd.DataFrame) -> tuple[float, ...]:
    views = training[list(FOV_COLUMNS)].drop_duplicates()
    if len(views) != 1:
        found = views.to_numpy().tolist()
        raise ValueError(f"features: expected one field of view for all training subjects, found {found}; {REFIT}")
    return tuple(float(side) for side in views.iloc[0])


def _pairs(targets: Columns) -> list[tuple[str, str]]:
    return [(partition, column) for partition, columns in targets.items() for column in columns]


def _regressors(residualise: Columns | None) -> dict[str, str]:
    return {column: regressor for regressor, columns in (residualise or {}).items() for column in columns}
