import numpy as np
import pandas as pd
import pytest

from semivae_bundle.evaluation.paired_runs import PairedRuns, paired_runs

OF_FEATURES = {"vol_total": {"partition": "vol"}, "loc_x_total": {"partition": "loc"}}


def a_table() -> pd.DataFrame:
    index = pd.Index([f"s{i}" for i in range(6)], name="subject")
    volumes, places = 1000.0 * np.arange(1, 7), np.arange(6.0)
    return pd.DataFrame(
        {
            "patient": list("aabbcc"),
            "measured_vol_total_mm3": volumes,
            "predicted_vol_total_mm3": 2 * volumes,
            "measured_loc_x_total_mm": places,
            "predicted_loc_x_total_mm": places + 1,
        },
        index=index,
    )


def pair(first: pd.DataFrame, second: pd.DataFrame) -> PairedRuns:
    return paired_runs(first, second, list(OF_FEATURES), list(OF_FEATURES), OF_FEATURES)


def test_the_order_of_the_subjects_does_not_matter() -> None:
    found = pair(a_table(), a_table().iloc[::-1])
    assert found.subjects == ("s0", "s1", "s2", "s3", "s4", "s5")
    np.testing.assert_array_equal(found.physical_second, found.physical_first)
    np.testing.assert_allclose(found.measured[:, 0], np.log1p(1000.0 * np.arange(1, 7)))


def test_a_measured_value_that_differs_by_rounding_is_the_same() -> None:
    assert pair(a_table(), a_table().assign(measured_vol_total_mm3=1000.0 * np.arange(1, 7) * (1 + 1e-6)))


@pytest.mark.parametrize("measured", [[10.0] * 6, [0.0] * 6, [25.0] + [np.nan] * 5])
def test_rounding_of_a_value_that_does_not_vary_is_no_difference(measured: list[float]) -> None:
    first = a_table().assign(measured_loc_x_total_mm=measured)
    assert pair(first, first.assign(measured_loc_x_total_mm=np.array(measured) + 1e-6))
    with pytest.raises(ValueError, match="expected the same measured_loc_x_total_mm"):
        pair(first, first.assign(measured_loc_x_total_mm=np.array(measured) + 1e-2))


def test_other_subjects_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"1 only in the first \(s5\).*with the same --seed and --split_fractions"):
        pair(a_table(), a_table().iloc[:5])


def test_another_patient_is_refused() -> None:
    other = a_table()
    other.loc["s3", "patient"] = "z"
    with pytest.raises(ValueError, match=r"found s3 of 'b' and of 'z'"):
        pair(a_table(), other)


@pytest.mark.parametrize("value", [2500.0, np.nan])
def test_another_measured_value_is_refused(value: float) -> None:
    other = a_table()
    other.loc["s1", "measured_vol_total_mm3"] = value
    with pytest.raises(ValueError, match=r"s1: expected the same measured_vol_total_mm3 in both runs, found 2000 and"):
        pair(a_table(), other)


def test_features_of_one_run_alone_are_left_out_and_named() -> None:
    found = paired_runs(a_table(), a_table(), list(OF_FEATURES), ["loc_x_total"], OF_FEATURES)
    assert ([feature.column for feature in found.features], found.left_out) == (["loc_x_total"], ("vol_total",))
    with pytest.raises(ValueError, match="expected a feature that both runs have"):
        paired_runs(a_table(), a_table(), ["vol_total"], ["loc_x_total"], OF_FEATURES)
