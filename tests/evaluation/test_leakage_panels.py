from semivae_bundle.evaluation.leakage_panels import leakage_panels


def test_each_model_has_a_panel_of_partitions_by_features() -> None:
    values = {("vol", "vol_total"): 0.9, ("vol", "loc_x"): -0.2, ("loc", "vol_total"): None, ("loc", "loc_x"): 0.5}
    rows = [
        {"model": m, "partition": p, "feature": f, "r2": r2, "r2_of_its_features": 0.2, "excess": None if p in f else 0}
        for m in ("ridge", "boosted")
        for (p, f), r2 in values.items()
    ]
    (model, ridge), (other, _) = leakage_panels({"table": rows})
    assert (model, other, ridge["features"]) == ("ridge", "boosted", ["vol_total", "loc_x"])
    assert [name for name, _ in ridge["rows"]] == ["vol", "loc"]
    assert [cell["shade"] for _, cells in ridge["rows"] for cell in cells] == ["0.90", "0.00", "0.00", "0.50"]
    assert [cell["claimed"] for _, cells in ridge["rows"] for cell in cells] == [True, False, False, True]


def test_without_a_table_there_is_no_panel() -> None:
    assert leakage_panels(None) == leakage_panels({"missing": "few"}) == []
