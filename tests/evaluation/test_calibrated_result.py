from dataclasses import replace

import pytest
import torch

from semivae_bundle.evaluation.calibrated_result import NOT_AVAILABLE, CalibratedResultd
from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.export import feature_row
from semivae_bundle.evaluation.novelty import NoveltyGate, ScoreScale
from semivae_bundle.features.normalizer import Normalizer

GATE = NoveltyGate(0.05, 2.0, (ScoreScale("kl", 0.0, 0.5),), 20, (1.0,) * 19, (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)))


def an_item(mean: float) -> dict:
    image = torch.ones(4, 2, 2, 2)
    return {
        "image": image,
        "reconstruction": image,
        "decoded": 0 * image,
        "features": torch.zeros(3),
        "mean": torch.full((2,), mean),
        "log_var": torch.zeros(2),
        "result": {"features": {"vol_total_mm3": 5.0, "loc_x_total_mm": 1.0}, "latent_mean": {}},
    }


def test_bounds_stand_beside_their_feature_and_a_missing_one_is_empty(
    normalizer: Normalizer, calibration: Calibration
) -> None:
    result = CalibratedResultd("features", "image", normalizer, calibration)(an_item(0.0))["result"]
    assert "novelty" not in result
    row = feature_row(result)
    assert list(row)[:3] == ["vol_total_mm3", "vol_total_mm3_lower", "vol_total_mm3_upper"]
    assert (row["loc_x_total_mm"], row["loc_x_total_mm_lower"], row["loc_x_total_mm_upper"]) == (1.0, "", "")


def test_without_a_calibration_the_row_holds_the_features_alone() -> None:
    assert feature_row({"features": {"vol_total_mm3": 5.0}}) == {"vol_total_mm3": 5.0}


@pytest.mark.parametrize(("mean", "said"), [(1.0, "yes"), (9.0, "no")])
def test_a_gate_says_yes_or_no_and_why(
    mean: float, said: str, normalizer: Normalizer, calibration: Calibration
) -> None:
    step = CalibratedResultd("features", "image", normalizer, replace(calibration, novelty=GATE))
    novelty = step(an_item(mean))["result"]["novelty"]
    assert novelty["in_distribution"] == said
    assert novelty["kl"] == pytest.approx(mean**2)
    assert novelty["reason"].startswith("kl 81 is above its upper limit 2.718") == (said == "no")


def test_a_scan_that_lacks_modalities_has_neither_bounds_nor_a_verdict(
    normalizer: Normalizer, calibration: Calibration
) -> None:
    item = an_item(9.0)
    item["image"] = item["image"] * torch.tensor([1.0, 0.0, 1.0, 0.0])[:, None, None, None]
    result = CalibratedResultd("features", "image", normalizer, replace(calibration, novelty=GATE))(item)["result"]
    assert result["intervals"]
    assert set(result["intervals"].values()) == {None}
    assert (result["novelty"]["in_distribution"], result["novelty"]["p_value"]) == (NOT_AVAILABLE, "")
    assert result["novelty"]["reason"].endswith("lacks t1n, t2w")
    assert result["novelty"]["kl"] == pytest.approx(81)


def test_the_reconstruction_error_is_of_the_channels_that_are_there(
    normalizer: Normalizer, calibration: Calibration
) -> None:
    gate = replace(GATE, scales=(ScoreScale("reconstruction_error", 0.0, 0.5),))
    item = an_item(0.0)
    item["image"] = item["image"] * torch.tensor([1.0, 0.0, 1.0, 1.0])[:, None, None, None]
    item["reconstruction"] = torch.tensor([3.0, 99.0, 3.0, 3.0])[:, None, None, None].expand(4, 2, 2, 2)
    result = CalibratedResultd("features", "image", normalizer, replace(calibration, novelty=gate))(item)["result"]
    assert result["novelty"]["reconstruction_error"] == pytest.approx(2.0)


def test_complete_and_incomplete_scans_fill_the_same_columns(normalizer: Normalizer, calibration: Calibration) -> None:
    step, other = CalibratedResultd("features", "image", normalizer, replace(calibration, novelty=GATE)), an_item(0.0)
    other["image"] = other["image"] * torch.tensor([0.0, 0.0, 1.0, 0.0])[:, None, None, None]
    complete, incomplete = (step(item)["result"] for item in (an_item(0.0), other))
    assert list(feature_row(complete)) == list(feature_row(incomplete))
    assert list(complete["novelty"]) == list(incomplete["novelty"])
