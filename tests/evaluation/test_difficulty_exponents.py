import pytest

from semivae_bundle.evaluation.difficulty_exponents import exponents_or_exit, require_exponents


def test_a_misspelt_exponent_is_refused_and_one_of_another_target_is_not() -> None:
    with pytest.raises(ValueError, match=r"as keys, found \['vol_totl'\]; did you mean 'vol_total'"):
        require_exponents({"vol": 0.0, "vol_totl": 0.0}, ["vol"])
    require_exponents({"vol": 0.0, "shape": 0.0, "surface_total": 0.0}, ["vol"])


def test_a_partition_without_targets_needs_no_exponent() -> None:
    exponents_or_exit({"vol": 0.0}, {"vol": ["vol_total"], "loc": []}, "calibrating")
    with pytest.raises(SystemExit, match=r"calibrating: difficulty: .* found none for \['loc'\]"):
        exponents_or_exit({"vol": 0.0}, {"vol": ["vol_total"], "loc": ["loc_x_total"]}, "calibrating")
