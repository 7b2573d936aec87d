from dataclasses import replace

import pytest

from semivae_bundle.evaluation.latent_options import LatentOptions

OPTIONS = LatentOptions(neighbours=5, folds=5, trees=30, draws=100, false_discovery_rate=0.05, seed=0)


@pytest.mark.parametrize(("name", "value"), [("neighbours", 20), ("folds", 1), ("trees", 0), ("draws", 0)])
def test_a_value_out_of_range_is_told(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"latent_scores: expected {name} in \d+\.\.\d+, found {value}"):
        replace(OPTIONS, **{name: value})


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_that_is_none_is_told(rate: float) -> None:
    with pytest.raises(ValueError, match=r"false_discovery_rate between 0 and 1, found"):
        replace(OPTIONS, false_discovery_rate=rate)
