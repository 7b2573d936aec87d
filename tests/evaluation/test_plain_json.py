import json

import numpy as np
import pytest

from semivae_bundle.evaluation.bootstrap import Estimate
from semivae_bundle.evaluation.plain_json import plain


def test_numpy_and_records_become_plain_and_survive_json() -> None:
    content = {
        "a": np.float32(0.5),
        "n": np.int64(3),
        "e": Estimate(1.0, float("nan"), np.inf, 4),
        "l": (np.bool_(1), None),
    }
    found = plain(content)
    assert found == {"a": 0.5, "n": 3, "e": {"value": 1.0, "low": None, "high": None, "subjects": 4}, "l": [True, None]}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_arrays_become_lists_with_null_for_nan() -> None:
    assert plain(np.array([1.0, np.nan])) == [1.0, None]


def test_what_json_cannot_hold_is_named() -> None:
    with pytest.raises(TypeError, match="complex"):
        plain({"z": 1j})
