import json
import time
from typing import Any

import numpy as np
import pytest

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.latent_coverage import latent_coverage
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.plain_json import plain

OPTIONS = LatentOptions(neighbours=5, folds=4, trees=10, draws=50, false_discovery_rate=0.05, seed=0)
PARTITION = {"vol": 2, "residual": 4}
COUNT = 150


@pytest.fixture
def posteriors() -> tuple[FloatArray, FloatArray]:
    """Means and log-variances whose aggregate is exactly the prior."""
    return np.sqrt(0.8) * np.random.default_rng(0).normal(size=(COUNT, 6)), np.full((COUNT, 6), np.log(0.2))


def section(mean: FloatArray, log_var: FloatArray, patients: list[str] | None = None) -> dict[str, Any]:
    names = [str(i) for i in range(len(mean))] if patients is None else patients
    partition = PARTITION if mean.shape[1] == 6 else {"vol": 16, "loc": 12, "shape": 24, "residual": 76}
    found = plain(latent_coverage(mean, log_var, partition, names, OPTIONS))
    json.dumps(found, allow_nan=False)
    return dict(found)


def test_an_aggregate_that_is_the_prior_fills_it(posteriors: tuple[FloatArray, FloatArray]) -> None:
    found = section(*posteriors)
    assert set(found["parts"]) == {"vol", "residual", "whole"}
    for name, figures in found["parts"].items():
        assert figures["samples"]["recall"] == pytest.approx(figures["perfect"]["recall"], abs=0.1)
        assert found["verdict"][name].startswith("codes fill the prior")
    assert found["parts"]["whole"]["perfect"]["coverage"] == pytest.approx(
        found["expected_coverage_of_a_perfect_code"], abs=0.03
    )


def test_a_code_of_two_clusters_has_holes_in_that_part_only(posteriors: tuple[FloatArray, FloatArray]) -> None:
    mean, log_var = posteriors
    mean[:, :2] = 0.3 * mean[:, :2] + np.where(np.arange(COUNT) % 2, 2.0, -2.0)[:, None]
    found = section(mean, log_var - 2)
    assert found["parts"]["vol"]["holes"]["share_of_lines"] > 0.4
    assert "holes on" in found["verdict"]["vol"]
    assert "holes" not in found["verdict"]["residual"]


def test_a_code_away_from_the_prior_is_missed_by_its_draws(posteriors: tuple[FloatArray, FloatArray]) -> None:
    mean, log_var = posteriors
    found = section(mean + 20, log_var)
    assert found["parts"]["whole"]["samples"] == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    assert "prior draws miss part of the codes (coverage 0.00" in found["verdict"]["whole"]


def test_a_collapsed_code_is_the_prior_by_its_samples_and_a_point_by_its_means() -> None:
    found = section(np.zeros((COUNT, 6)), np.zeros((COUNT, 6)))["parts"]["whole"]
    assert found["samples"]["coverage"] > 0.9
    assert found["means"]["coverage"] == 0
    assert found["holes"]["share_of_lines"] == 0


def test_visits_of_a_patient_count_once(posteriors: tuple[FloatArray, FloatArray]) -> None:
    mean, log_var = posteriors
    twice = section(mean.repeat(2, axis=0), log_var.repeat(2, axis=0), [str(i // 2) for i in range(2 * COUNT)])
    assert twice == section(mean, log_var)


@pytest.mark.parametrize("count", [1, 5])
def test_a_handful_of_subjects_says_why_it_is_missing(count: int) -> None:
    assert section(np.zeros((count, 6)), np.zeros((count, 6))) == {
        "missing": f"{count} patients; at least 20 are needed"
    }


def test_300_subjects_of_128_dimensions_take_seconds() -> None:
    rng = np.random.default_rng(0)
    begun = time.process_time()
    section(0.8 * rng.normal(size=(300, 128)), np.full((300, 128), -1.0))
    assert time.process_time() - begun < 5
