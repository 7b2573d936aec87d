from dataclasses import replace

import numpy as np

from semivae_bundle.evaluation.factor_table import FactorTable, measured_factors, usable_factors
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer


def test_measured_features_are_the_targets_where_present(results: Results, normalizer: Normalizer) -> None:
    found = measured_factors(results, normalizer)
    assert found.names == ("vol_total", "loc_x_total", "surface_total")
    assert found.claimed == ("vol", "loc", "shape")
    assert np.isnan(found.values[30:]).all()
    np.testing.assert_array_equal(found.values[:30], results.target[:30])


def test_visits_do_not_make_a_factor_usable(results: Results, normalizer: Normalizer) -> None:
    table = measured_factors(results, normalizer)
    _, left_out = usable_factors(table, results.patients)  # 30 scans of 15 patients
    assert left_out["vol_total"] == "15 patients have it; at least 20 are needed"
    assert set(left_out) == set(table.names)


def test_classes_and_constants_are_left_out_by_name() -> None:
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(size=40), rng.integers(1, 3, size=40), np.full(40, 2.0)], axis=1)
    usable, left_out = usable_factors(
        FactorTable(("a", "foci", "c"), ("vol",) * 3, values), [str(i) for i in range(40)]
    )
    assert usable.names == ("a",)
    assert usable.values.shape == (40, 1)
    assert left_out["foci"].startswith("2 different values")
    assert left_out["c"].startswith("1 different value")


def test_nobody_has_any(results: Results, normalizer: Normalizer) -> None:
    bare = replace(results, present=np.zeros((40, 3), bool))
    usable, left_out = usable_factors(measured_factors(bare, normalizer), bare.patients)
    assert usable.names == ()
    assert left_out["loc_x_total"].startswith("0 patients")
