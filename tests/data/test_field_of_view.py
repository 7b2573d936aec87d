"""The field of view keeps places and, on the way back, the user's grid."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from torch import Tensor

from semivae_bundle.data.field_of_view import BrainFieldOfView, BrainFieldOfViewd, FieldOfView, FieldOfViewd

# Voxels of 1 x 1.5 x 2 mm, stored left-right and front-back reversed and off the origin.
AFFINE = np.array([[-1.0, 0, 0, 20], [0, -1.5, 0, 31], [0, 0, 2, -7], [0, 0, 0, 1]])
SIZE = (40, 30, 20)  # 40 x 45 x 40 mm


def blob(centre: tuple[float, float, float], radius_mm: float = 5.0) -> MetaTensor:
    """A smooth body about `centre` (voxel index) on the grid above: (1, 40, 30, 20)."""
    index = np.indices(SIZE).reshape(3, -1).T
    distance = np.linalg.norm((index - centre) * [1, 1.5, 2], axis=1)
    values = np.clip(1 + radius_mm - distance, 0, 1).reshape(1, *SIZE)
    return MetaTensor(torch.as_tensor(values, dtype=torch.float32), affine=AFFINE)


def centroid(volume: Tensor) -> np.ndarray:
    """Centre of mass of the first channel as a voxel index."""
    weights = np.asarray(volume)[0].astype(np.float64)
    return np.array([(grid * weights).sum() for grid in np.indices(weights.shape)]) / weights.sum()


def in_mm(volume: MetaTensor, index: np.ndarray) -> np.ndarray:
    affine = volume.affine.numpy()
    return affine[:3, :3] @ index + affine[:3, 3]


def test_the_same_grid_is_left_as_it_is() -> None:
    image = MetaTensor(torch.randn(2, 8, 8, 8), affine=np.diag([-2.0, 2, 2, 1]))
    out = FieldOfView((8, 8, 8), (16.0, 16.0, 16.0))(image)
    assert torch.equal(out.as_tensor(), image.as_tensor())
    torch.testing.assert_close(out.affine, image.affine)


@pytest.mark.parametrize("roi", [(16, 16, 16), (64, 48, 48)], ids=["coarser", "finer"])
def test_a_point_keeps_its_physical_place(roi: tuple[int, int, int]) -> None:
    image = blob((12.0, 17.0, 8.0))
    out = FieldOfView(roi, (48.0, 48.0, 48.0))(image)
    assert out.shape == (1, *roi)
    np.testing.assert_allclose(in_mm(out, centroid(out)), in_mm(image, centroid(image)), atol=0.05)
    np.testing.assert_allclose(out.affine[:3, :3].norm(dim=0), 48.0 / np.array(roi), rtol=1e-6)


def test_the_field_of_view_is_centred_on_the_grid_s_own_centre() -> None:
    out = FieldOfView((16, 16, 16), (48.0, 48.0, 48.0))(blob((12.0, 17.0, 8.0)))
    middle = in_mm(out, np.array([7.5, 7.5, 7.5]))
    np.testing.assert_allclose(middle, in_mm(blob((0, 0, 0)), (np.array(SIZE) - 1) / 2), atol=1e-4)


@pytest.mark.parametrize("roi", [(16, 16, 16), (64, 48, 48)], ids=["coarser", "finer"])
def test_the_inverse_puts_a_body_back_in_its_place_on_the_user_s_grid(roi: tuple[int, int, int]) -> None:
    image, view = blob((12.0, 17.0, 8.0)), FieldOfView(roi, (48.0, 48.0, 48.0))
    back = view.inverse(view(image))
    assert back.shape == image.shape
    np.testing.assert_allclose(back.affine, AFFINE, atol=1e-4)
    np.testing.assert_allclose(centroid(back), centroid(image), atol=0.1)
    assert float(back.sum()) == pytest.approx(float(image.sum()), rel=0.05)


def test_the_inverse_is_zero_beyond_the_field_of_view() -> None:
    view = FieldOfView((8, 8, 8), (16.0, 16.0, 16.0))
    back = view.inverse(view(MetaTensor(torch.ones(1, *SIZE), affine=AFFINE)))
    assert float(back[0, 20, 15, 10]) == pytest.approx(1)
    assert not back[0, :11].any()
    assert not back[0, -11:].any()


@pytest.mark.parametrize("kind", [FieldOfViewd, BrainFieldOfViewd])
def test_a_prediction_is_inverted_through_the_image_s_record(kind: type[FieldOfViewd]) -> None:
    transform = Compose([kind("image", (16, 16, 16), (48.0, 48.0, 48.0))])
    image = blob((12.0, 17.0, 8.0))
    data = transform({"image": image})
    assert len(data["image"].applied_operations) == 1
    data["pred"] = MetaTensor(FieldOfView((16, 16, 16), (48.0, 48.0, 48.0))(image).as_tensor())
    back = Invertd("pred", transform, orig_keys="image", nearest_interp=False)(data)["pred"]
    assert back.shape == image.shape
    np.testing.assert_allclose(centroid(back), centroid(image), atol=0.1)


def test_the_input_is_left_alone() -> None:
    image = blob((12.0, 17.0, 8.0))
    before = image.clone()
    BrainFieldOfView((16, 16, 16), (48.0, 48.0, 48.0))(image)
    assert torch.equal(image, before)
    assert image.applied_operations == []


def a_head(intensity: float = 100.0) -> MetaTensor:
    """Four channels of noise about `intensity` in an ellipsoid, 0 outside."""
    grid = np.indices(SIZE).astype(float)
    inside = sum(((grid[k] - (SIZE[k] - 1) / 2) / (0.4 * SIZE[k])) ** 2 for k in range(3)) < 1
    values = intensity + 10 * np.random.default_rng(0).normal(size=(4, *SIZE))
    return MetaTensor(torch.as_tensor(values * inside, dtype=torch.float32), affine=AFFINE)


@pytest.mark.parametrize("roi", [(16, 16, 16), (48, 48, 48)])
def test_a_brain_is_z_scored_per_channel_and_its_surroundings_are_zero(roi: tuple[int, int, int]) -> None:
    out = BrainFieldOfView(roi, (48.0, 48.0, 48.0))(a_head()).as_tensor()
    inside = (out != 0).all(dim=0)
    assert 0.1 < float(inside.float().mean()) < 0.4
    assert not out[:, ~inside].any()
    torch.testing.assert_close(out[:, inside].mean(dim=1), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(out[:, inside].std(dim=1), torch.ones(4), atol=1e-4, rtol=0)


def test_a_brain_has_no_dark_rim() -> None:
    head = a_head()
    head[:] = torch.where(head != 0, torch.linspace(90, 110, 40).reshape(1, 40, 1, 1), 0.0)
    out = BrainFieldOfView((16, 16, 16), (48.0, 48.0, 48.0))(head).as_tensor()[0]
    # Intensity depends on x alone, so every voxel of a plane should have one value, at the rim too.
    spreads = [float(plane[plane != 0].std()) for plane in out if int((plane != 0).sum()) > 3]
    assert max(spreads) < 0.2


def test_gain_and_the_scanner_s_units_do_not_matter() -> None:
    view = BrainFieldOfView((16, 16, 16), (48.0, 48.0, 48.0))
    torch.testing.assert_close(view(a_head()), view(a_head() * 7), rtol=1e-4, atol=1e-4)


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(ValueError, match="0 of its voxels are not 0; expected a skull-stripped brain"):
        BrainFieldOfView((8, 8, 8), (16.0,) * 3)(MetaTensor(torch.zeros(4, 8, 8, 8), affine=np.eye(4)))


def test_an_image_without_a_header_is_refused() -> None:
    with pytest.raises(TypeError, match="expected an image with its header"):
        FieldOfView((8, 8, 8), (16.0,) * 3)(torch.zeros(1, 8, 8, 8))


@pytest.mark.parametrize(("roi", "fov"), [((8, 8), (16.0,) * 3), ((8, 8, 0), (16.0,) * 3), ((8,) * 3, (16.0, 0, 1))])
def test_sides_must_be_three_and_positive(roi: tuple[int, ...], fov: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected three positive sides each"):
        FieldOfView(roi, fov)
