import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.latent_report import factor_sections
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer

OPTIONS = LatentOptions(neighbours=5, folds=4, trees=10, draws=50, false_discovery_rate=0.05, seed=0)


@pytest.fixture
def single(results: Results) -> Results:
    """The 40 subjects as 40 patients, whose volume stands in the first dimension."""
    results.mean[:, 0] = np.where(results.labelled, results.target[:, 0], results.mean[:, 0])
    return replace(results, patients=results.subjects)


def factors_of(results: Results) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rim = rng.uniform(size=len(results.subjects))
    return pd.DataFrame({"ln_volume": results.mean[:, 0] + 11, "rim": rim}, index=list(results.subjects))


def sections(
    results: Results, normalizer: Normalizer, partition: dict[str, int], generating: pd.DataFrame | None = None
) -> dict[str, Any]:
    found = plain(factor_sections(results, normalizer, partition, generating, OPTIONS))
    json.dumps(found, allow_nan=False)
    return dict(found)


def test_the_volume_is_read_from_its_partition_and_no_other(
    single: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    found = sections(single, normalizer, partition)
    r2 = {(r["partition"], r["feature"]): r["r2"] for r in found["leakage"]["table"] if r["model"] == "ridge"}
    assert len(r2) == 4 * 3
    assert r2["vol", "vol_total"] > 0.9
    assert max(r2["loc", "vol_total"], r2["shape", "vol_total"]) < 0.2
    assert r2["residual", "vol_total"] == 0  # no active dimension
    lead = found["disentanglement"]["measured_features"]["partitions"]["lead_of_claimed_per_factor"]
    assert lead["vol_total"] > 0.9


def test_phantoms_are_held_against_what_they_were_made_from_too(
    single: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    found = sections(single, normalizer, partition, factors_of(single))["disentanglement"]["generating_factors"]
    assert found["factors"] == {"ln_volume": "vol", "rim": "residual"}
    assert found["patients"] == 40
    assert found["partitions"]["lead_of_claimed_per_factor"]["ln_volume"] > 0.9


def test_real_data_says_that_it_has_no_generating_factors(
    single: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    found = sections(single, normalizer, partition)["disentanglement"]
    assert "only phantoms have one" in found["generating_factors"]["missing"]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_subjects_have_sections_that_say_why_they_are_empty(
    single: Results, normalizer: Normalizer, partition: dict[str, int], count: int
) -> None:
    names = ("subjects", "patients", "labelled", "mean", "log_var", "predicted", "target", "present")
    few = replace(single, **{name: getattr(single, name)[:count] for name in names})
    found = sections(few, normalizer, partition, factors_of(few))
    for section in (found["leakage"], *found["disentanglement"].values()):
        assert section["missing"] == "no factor to judge by"
        assert all(f"{count} patients have it" in why for why in section["left_out"].values())


def test_a_factor_that_few_have_is_left_out_and_the_others_stay(
    single: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    single.present[10:, 1] = False
    found = sections(single, normalizer, partition)
    assert found["leakage"]["left_out"] == {"loc_x_total": "10 patients have it; at least 20 are needed"}
    assert {row["feature"] for row in found["leakage"]["table"]} == {"vol_total", "surface_total"}


def test_a_dead_code_has_sections_without_nan(
    single: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    found = sections(replace(single, mean=0 * single.mean), normalizer, partition, factors_of(single))
    assert found["disentanglement"]["measured_features"]["dimensions"]["mig"] == 0
    assert found["disentanglement"]["measured_features"]["dimensions"]["modularity"] is None
