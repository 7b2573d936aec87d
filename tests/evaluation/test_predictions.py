import numpy as np
import pytest

from semivae_bundle.evaluation.predictions import latent_columns, predictions_table
from semivae_bundle.evaluation.results import Results, join_results
from semivae_bundle.features.normalizer import Normalizer


def test_one_row_per_subject_with_units_in_the_names(
    results: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    table = predictions_table(results, normalizer, partition)
    assert list(table.index) == list(results.subjects)
    first = table.iloc[0]
    assert first["measured_vol_total_mm3"] == pytest.approx(np.expm1(10 + results.target[0, 0]))
    assert first["predicted_loc_x_total_mm"] == pytest.approx(240 * 0.1 * results.predicted[0, 1])
    assert first["mean_vol_03"] == results.mean[0, 3]
    assert (first["patient"], first["labelled"]) == ("BraTS-PHM-00000", 1)


def test_an_unlabelled_subject_has_predictions_but_no_measurements(
    results: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    last = predictions_table(results, normalizer, partition).iloc[-1]
    assert np.isnan(last["measured_vol_total_mm3"])
    assert np.isfinite(last["predicted_vol_total_mm3"])


def test_latents_are_named_by_partition_and_number() -> None:
    assert latent_columns({"vol": 2, "residual": 1}) == ["vol_00", "vol_01", "residual_00"]


def test_an_evaluation_of_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match="no subject was evaluated"):
        join_results([], {})
