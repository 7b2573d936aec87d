"""The section leakage of metrics.json -> one table per model, partitions by features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMNS = ("model", "partition", "feature")


def leakage_panels(leakage: Mapping[str, Any] | None) -> list[tuple[str, dict[str, Any]]]:
    """Per model its `features` and its `rows`: (partition, cells). A cell has `r2`, `shared`, `claimed`, and `shade`,
    the R² clipped to [0, 1]. Empty without a table.
    """
    if leakage is None or "table" not in leakage:
        return []
    rows = leakage["table"]
    models, partitions, features = (list(dict.fromkeys(row[key] for row in rows)) for key in COLUMNS)
    found = {tuple(row[key] for key in COLUMNS): _cell(row) for row in rows}
    return [
        (model, {"features": features, "rows": [(p, [found[model, p, f] for f in features]) for p in partitions]})
        for model in models
    ]


def _cell(row: Mapping[str, Any]) -> dict[str, Any]:
    shade = f"{min(max(row['r2'] or 0.0, 0.0), 1.0):.2f}"
    return {"r2": row["r2"], "shared": row["r2_of_its_features"], "claimed": row["excess"] is None, "shade": shade}
