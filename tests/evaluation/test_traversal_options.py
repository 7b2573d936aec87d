from dataclasses import replace
from typing import Any

import pytest

from semivae_bundle.evaluation.traversal_options import TraversalOptions

OPTIONS = TraversalOptions(
    ["vol_total"], scans=2, steps=3, code_scans=9, volume_factor=2.0, location_mm=20.0, central_share=0.9, together={}
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("features", []),
        ("features", ["vol_total", "vol_total"]),
        ("code_scans", 0),
        ("steps", 2),
        ("volume_factor", 1.0),
        ("location_mm", 0.0),
        ("central_share", 1.0),
        ("together", {"vol_et": ["vol_ncr"]}),
    ],
)
def test_a_value_that_makes_no_traversal_is_told(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"traversals:\n  .*{name}: expected"):
        replace(OPTIONS, **{name: value})


def test_a_text_is_no_list_of_features() -> None:
    with pytest.raises(ValueError, match=r"features: expected a list, found 'vol_ed'; write \[vol_ed\]"):
        replace(OPTIONS, features="vol_ed")
