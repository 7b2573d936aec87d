"""Moments of bodies whose moments are known in closed form."""

import math

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.blocks import coordinate_grid
from semivae_bundle.networks.moments import FORM, PLACE, SIZE, MomentPooling, principal_variances, standardised

SIDE = 40
CENTRE, RADII = (0.25, -0.1, 0.3), (0.55, 0.45, 0.36)
REGIONS = ("ncr", "ed", "et", "total")


def logits_of(inside: Tensor, label: int = 3) -> Tensor:
    """Certain logits: class `label` inside, background outside."""
    logits = torch.zeros(1, 4, *inside.shape)
    logits[:, 0] = 20.0
    logits[:, label][inside[None]] = 40.0
    return logits


def moments_of(inside: Tensor, label: int = 3) -> dict[str, dict[str, Tensor]]:
    """The moments of each region in plain units, the layer's scaling undone."""
    pooling = MomentPooling((inside.shape[0], inside.shape[1], inside.shape[2]))
    # Undo the soft bound.
    size, place, form = (4 * torch.atanh(table / 4).reshape(4, -1) for table in pooling(logits_of(inside, label)))
    assert (size.shape[1], place.shape[1], form.shape[1]) == (SIZE, PLACE, FORM)
    found = {}
    for region, log_mass, centroid, row in zip(REGIONS, 1.5 * size - 6, place / 4, form, strict=True):
        length = torch.exp(log_mass / 3)
        found[region] = {
            "mass": torch.exp(log_mass),
            "centroid": centroid,
            "surface": torch.exp(0.25 * row[:1] + 2.6) * length**2,
            "spread": torch.exp(0.25 * row[1:4] - 0.35) * length,
            "axes": torch.exp(0.3 * row[4:7] - 0.4) * length,
            "sides": torch.exp(0.17 * row[7:10] + 0.55) * length - 1e-3,
            "shadows": torch.exp(0.17 * row[10:13] + 0.52) * length**2 - 1e-5,
            "pairs": 0.27 * row[13:16],
        }
    return found


def ellipsoid(rotation: Tensor | None = None) -> Tensor:
    offsets = coordinate_grid((SIDE, SIDE, SIDE))[0] - torch.tensor(CENTRE).reshape(3, 1, 1, 1)
    if rotation is not None:
        offsets = torch.einsum("ij,jdhw->idhw", rotation.T, offsets)
    return (offsets / torch.tensor(RADII).reshape(3, 1, 1, 1)).square().sum(dim=0) < 1


def test_mass_centroid_and_spread_of_an_ellipsoid_are_its_closed_forms() -> None:
    found = moments_of(ellipsoid())["total"]
    assert float(found["mass"]) == pytest.approx(4 / 3 * math.pi * math.prod(RADII) / 8, rel=0.02)
    assert found["centroid"].tolist() == pytest.approx(CENTRE, abs=2e-3)
    expected = [math.sqrt(radius**2 / 5 + 1e-5) for radius in RADII]
    assert found["spread"].tolist() == pytest.approx(expected, rel=0.01)
    assert found["pairs"].abs().max() < 0.01


def test_box_and_silhouettes_of_an_ellipsoid_are_its_closed_forms() -> None:
    found = moments_of(ellipsoid())["total"]
    # As shares of the field of view, 2 x 2 x 2.
    assert found["sides"].tolist() == pytest.approx(RADII, abs=1.1 / SIDE)
    a, b, c = RADII
    assert found["shadows"].tolist() == pytest.approx([math.pi * x / 4 for x in (b * c, a * c, a * b)], rel=0.03)


def test_the_principal_axes_do_not_turn_with_the_body() -> None:
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    expected = sorted(math.sqrt(radius**2 / 5 + 1e-5) for radius in RADII)
    for rotation in (None, turn):
        assert moments_of(ellipsoid(rotation))["total"]["axes"].tolist() == pytest.approx(expected, rel=0.02)


def test_autocast_does_not_round_the_moments() -> None:
    logits = torch.randn(1, 4, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    pooling = MomentPooling((SIDE, SIDE, SIDE))
    exact = pooling(logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(pooling(logits), exact)


def test_a_body_that_only_grows_or_moves_keeps_its_form() -> None:
    body = torch.zeros(SIDE, SIDE, SIDE, dtype=torch.bool)
    body[4:10, 4:8, 4:7] = True
    body[4:7, 4:8, 7:13] = True
    grown = torch.nn.functional.interpolate(body[:20, :20, :20][None, None].float(), scale_factor=2.0)[0, 0] > 0.5
    moved = body.roll((9, 4, 15), dims=(0, 1, 2))
    before, larger, elsewhere = (moments_of(shape)["total"] for shape in (body, grown, moved))
    assert float(larger["mass"] / before["mass"]) == pytest.approx(8, rel=0.01)
    for name in ("spread", "axes", "sides"):
        # n voxels in a row vary by (n² - 1) / 12: doubled, four are 2.5 % more.
        torch.testing.assert_close(larger[name], 2 * before[name], rtol=0.03, atol=0)
    for name in ("surface", "shadows"):
        torch.testing.assert_close(larger[name], 4 * before[name], rtol=0.02, atol=0)
    torch.testing.assert_close(larger["pairs"], before["pairs"], rtol=0, atol=0.02)
    for name in set(before) - {"centroid"}:
        torch.testing.assert_close(elsewhere[name], before[name], rtol=1e-3, atol=1e-4)
    expected = before["centroid"] + 2 * torch.tensor([9, 4, 15]) / SIDE
    torch.testing.assert_close(elsewhere["centroid"], expected, rtol=0, atol=1e-4)


def test_what_is_far_out_is_bent_towards_a_bound() -> None:
    value = torch.tensor([-1e6, 1.0, 2.5, 1e6])
    assert standardised(value, 1.0, 0.5).tolist() == pytest.approx([-4.0, 0.0, 4 * math.tanh(0.75), 4.0])
    small = standardised(torch.tensor([1.0, 1.1]), 1.0, 0.5)
    assert float(small[1] - small[0]) == pytest.approx(0.2, rel=0.01)


def test_a_turned_ellipsoid_shows_in_the_correlation_of_its_axes() -> None:
    turn = torch.tensor([[1.0, -1, 0], [1, 1, 0], [0, 0, math.sqrt(2)]]) / math.sqrt(2)
    pairs = moments_of(ellipsoid(turn))["total"]["pairs"]
    a, b = RADII[0] ** 2, RADII[1] ** 2
    assert pairs.tolist() == pytest.approx([(a - b) / (a + b), 0, 0], abs=0.02)


def test_the_surface_of_a_box_is_its_number_of_faces() -> None:
    box = torch.zeros(10, 12, 14, dtype=torch.bool)
    box[2:5, 3:7, 4:9] = True
    faces = 2 * 4 * 5 / (12 * 14) + 2 * 3 * 5 / (10 * 14) + 2 * 3 * 4 / (10 * 12)
    assert float(moments_of(box)["et"]["surface"]) == pytest.approx(faces + 1e-5, rel=1e-3)


@pytest.mark.parametrize("label", [1, 2, 3])
def test_a_region_is_its_own_and_part_of_the_whole(label: int) -> None:
    found = moments_of(ellipsoid(), label)
    own = found[REGIONS[label - 1]]
    for name in own:
        torch.testing.assert_close(own[name], found["total"][name], rtol=1e-4, atol=1e-5)
    others = [found[region]["mass"] for region in REGIONS[:3] if region != REGIONS[label - 1]]
    assert max(others) < 1e-4


def test_a_faint_haze_does_not_move_the_centroid_to_the_middle() -> None:
    inside = torch.zeros(SIDE, SIDE, SIDE, dtype=torch.bool)
    inside[4:8, 4:8, 4:8] = True
    logits = logits_of(inside)
    logits[:, 3][~inside[None]] = 20.0 + math.log(0.01)  # one per cent everywhere: ten times the tumour's mass
    x = torch.atanh(MomentPooling((SIDE, SIDE, SIDE))(logits)[1][0, 9] / 4)
    assert float(x) == pytest.approx(-0.7, abs=0.08)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e4])
def test_principal_variances_are_the_eigenvalues(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(50, 4, 6, 3, generator=generator) * torch.tensor([1.0, 0.1, 0.01])
    turned = rows @ torch.linalg.qr(torch.randn(50, 1, 3, 3, generator=generator))[0]
    covariance = scale * (turned.mT @ turned)
    found = principal_variances(covariance)
    torch.testing.assert_close(found, torch.linalg.eigvalsh(covariance.double()).float(), rtol=1e-4, atol=1e-6 * scale)


@pytest.mark.parametrize("diagonal", [[0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [3.0, 1.0, 1.0], [0.0, 0.0, 5.0]])
def test_principal_variances_that_agree_are_found_too(diagonal: list[float]) -> None:
    found = principal_variances(torch.diag(torch.tensor(diagonal)))
    torch.testing.assert_close(found, torch.tensor(sorted(diagonal)), rtol=1e-6, atol=1e-6)


def test_an_empty_or_uniform_map_has_finite_moments_and_gradient() -> None:
    for fill in (0.0, 30.0):
        logits = torch.zeros(1, 4, 4, 4, 4)
        logits[:, 0] = fill
        logits.requires_grad_()
        moments = torch.cat(MomentPooling((4, 4, 4))(logits), dim=1)
        moments.sum().backward()
        assert moments.isfinite().all()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
