from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from semivae_bundle.evaluation.inference_transforms import PhysicalResultd, UnpackPredictiond, read_shipped_normalizer
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.networks.packing import pack


def packed(side: int = 4, mean: float = 0.0) -> torch.Tensor:
    volumes = torch.zeros(1, 4, side, side, side)
    return pack(volumes, volumes + 2, volumes + 1, torch.full((1, 3), mean), torch.zeros(1, 3), torch.zeros(1, 2))[0]


def image(side: int = 4) -> MetaTensor:
    return MetaTensor(torch.zeros(4, side, side, side), affine=torch.diag(torch.tensor([2.0, 2, 2, 1])))


def test_unpacking_puts_the_logits_on_the_grid_of_the_image() -> None:
    out = UnpackPredictiond("pred", "image")({"pred": packed(), "image": image()})
    assert out["pred"].shape == (4, 4, 4, 4)
    assert bool((out["pred"].as_tensor() == 0).all())
    assert torch.equal(out["pred"].affine, image().affine)
    assert not {"decoded", "reconstruction"} & set(out)


def test_what_the_decoder_draws_comes_on_request() -> None:
    out = UnpackPredictiond("pred", "image", with_decoded=True)({"pred": packed(), "image": image()})
    assert bool((out["decoded"].as_tensor() == 2).all())
    assert torch.equal(out["reconstruction"].as_tensor(), torch.ones(4, 4, 4, 4))


def test_a_nan_latent_stops_with_the_subject_and_the_name() -> None:
    with pytest.raises(ValueError, match=r"p7: the network returned NaN or infinity for \['mean'\]"):
        UnpackPredictiond("pred", "image")({"pred": packed(mean=np.nan), "image": image(), "subject": "p7"})


def test_an_image_without_its_history_is_refused() -> None:
    with pytest.raises(TypeError, match="MetaTensor"):
        UnpackPredictiond("pred", "image")({"pred": packed(), "image": torch.zeros(4, 4, 4, 4)})


def test_another_grid_than_the_input_is_refused() -> None:
    with pytest.raises(ValueError, match="roi_size"):
        UnpackPredictiond("pred", "image")({"pred": packed(8), "image": image(4)})


def test_a_result_holds_no_value_that_cannot_occur(normalizer: Normalizer) -> None:
    data = {"features": torch.tensor([-10.1, 0.0, 0.0]), "mean": torch.zeros(3)}
    result = PhysicalResultd("features", normalizer, {"vol": 3})(data)["result"]
    assert result["features"]["vol_total_mm3"] == 0
    assert result["features"]["loc_x_total_mm"] == pytest.approx(0, abs=1e-4)


def test_a_normalizer_of_other_features_or_field_of_view_is_refused(tmp_path: Path, normalizer: Normalizer) -> None:
    file = tmp_path / "normalizer.json"
    normalizer.to_json(file)
    targets = {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["surface_total"]}
    assert read_shipped_normalizer(file, targets, [240, 240, 240]) == normalizer
    with pytest.raises(ValueError, match="expected fov_mm"):
        read_shipped_normalizer(file, targets, [240, 240, 200])
    with pytest.raises(ValueError, match="expected features"):
        read_shipped_normalizer(file, {**targets, "loc": ["loc_y_total"]}, [240, 240, 240])
    with pytest.raises(FileNotFoundError, match="--normalizer_file"):
        read_shipped_normalizer(tmp_path / "none.json", targets, [240, 240, 240])
