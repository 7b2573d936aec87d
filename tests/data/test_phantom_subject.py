"""Phantom patients: tumours as drawn, inside the brain, growing over the visits."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from semivae_bundle.data.phantom.anatomy import load_atlas, sample_anatomy
from semivae_bundle.data.phantom.contrast import TISSUES, draw_contrast
from semivae_bundle.data.phantom.fields import draw_field, image_grid, sub_grid
from semivae_bundle.data.phantom.lesion import grow_lesion
from semivae_bundle.data.phantom.settle import SETTLING_GRID_MM, sphericity
from semivae_bundle.data.phantom.subject import Scan, brain_box, draw_patient, mass_effect, scan_patient
from semivae_bundle.data.phantom.tumour import draw_fractions, draw_tumour, grown
from semivae_bundle.data.subjects import MODALITIES

SIZE, SPACING = 48, 5.0
COHORT = 60


@lru_cache(maxsize=1)
def scans() -> list[Scan]:
    """A small cohort at 5 mm."""
    return [scan(index) for index in range(COHORT)]


def scan(index: int, visit: int = 0, visits: int = 1, contrast: str = "standard") -> Scan:
    """One scan of the cohort of seed 7."""
    return scan_patient(7, index, visit, visits, size=SIZE, spacing=SPACING, contrast=contrast)


def centroid_mm(labels: np.ndarray) -> np.ndarray:
    """Centroid of the whole tumour relative to the image centre, in mm."""
    return (np.argwhere(labels > 0).mean(axis=0) - (SIZE - 1) / 2) * SPACING


def factor(name: str) -> np.ndarray:
    """One generating factor over the cohort."""
    return np.array([float(s.factors[name]) for s in scans()])


def measured_sphericity() -> np.ndarray:
    """Sphericity of the whole tumours."""
    return np.array([sphericity(s.labels > 0, SPACING) for s in scans()])


def test_volume_is_hit_to_a_voxel() -> None:
    counts = np.array([np.count_nonzero(s.labels) for s in scans()])
    assert np.abs(counts - np.exp(factor("ln_volume")) / SPACING**3).max() <= 0.51


def test_regions_take_their_drawn_shares() -> None:
    for s in scans():
        total = np.count_nonzero(s.labels)
        for label, region in ((1, "ncr"), (2, "ed"), (3, "et")):
            share = np.count_nonzero(s.labels == label) / total
            assert share == pytest.approx(s.factors[f"fraction_{region}"], abs=1.1 / total)


def test_place_and_shape_come_out_as_drawn() -> None:
    centres = np.array([centroid_mm(s.labels) for s in scans()])
    for axis, name in enumerate("xyz"):
        assert np.corrcoef(centres[:, axis], factor(f"centre_{name}_mm"))[0, 1] > 0.95
    assert np.corrcoef(measured_sphericity(), factor("sphericity"))[0, 1] > 0.85


def test_statistics_cover_real_cohorts() -> None:
    volumes = factor("ln_volume")
    centres = np.array([centroid_mm(s.labels) for s in scans()])
    shape = measured_sphericity()
    assert 11.0 < volumes.mean() < 11.6 and 0.65 < volumes.std() < 1.05
    assert np.all((centres.std(axis=0) > 18) & (centres.std(axis=0) < 36))
    assert 0.58 < shape.mean() < 0.70 and 0.08 < shape.std() < 0.15


def test_volume_place_and_shape_are_drawn_independently() -> None:
    atlas = load_atlas(SETTLING_GRID_MM)
    pose = draw_patient(0, 0, 1).pose
    tumours = [draw_tumour(np.random.default_rng([1, i]), atlas, pose) for i in range(500)]
    drawn = np.array([[np.log(t.volume_mm3), *t.centroid_mm, t.sphericity, t.elongation] for t in tumours])
    correlation = np.corrcoef(drawn, rowvar=False) - np.eye(drawn.shape[1])
    # Four standard errors of a correlation of 500 independent pairs; the axes of one head are tied by its shape.
    correlation[1:4, 1:4] = 0
    assert np.abs(correlation).max() < 4 / np.sqrt(500)


def test_one_region_is_absent_in_about_one_case_in_ten() -> None:
    drawn = np.array([draw_fractions(np.random.default_rng([2, i])) for i in range(2000)])
    assert 0.08 < np.mean((drawn == 0).any(axis=1)) < 0.13
    assert np.allclose(drawn.sum(axis=1), 1)


def test_mask_lies_inside_the_brain_and_background_is_zero() -> None:
    for s in scans():
        brain = (s.images != 0).any(axis=0)
        assert not np.any((s.labels > 0) & ~brain)
        assert 0.08 < brain.mean() < 0.16
        assert s.images.dtype == np.int16


def test_brain_lies_where_brats_has_it() -> None:
    boxes = [np.argwhere((s.images != 0).any(axis=0)) for s in scans()]
    extents = np.array([np.ptp(places, axis=0) + 1 for places in boxes]) * SPACING
    middles = np.array([(places.min(axis=0) + places.max(axis=0) + 1) / 2 - SIZE / 2 for places in boxes]) * SPACING
    assert np.all(np.abs(extents.mean(axis=0) - (138, 169, 131)) < 6)
    assert np.all(np.abs(middles.mean(axis=0) - (0.9, -10.6, -3.8)) < 4)


def test_channels_look_like_their_names() -> None:
    """Enhancing rim bright in t1c, oedema bright in t2f and t2w against its surroundings, in nearly all scans."""
    t1c, t2f, t2w = [], [], []
    for s in scans():
        brain = (s.images != 0).all(axis=0)
        healthy = brain & ~binary_dilation(s.labels > 0, iterations=2)
        typical = [np.median(image[healthy]) for image in s.images]
        if np.count_nonzero(s.labels == 3) > 5:
            t1c.append(s.images[0][s.labels == 3].mean() > typical[0])
        if np.count_nonzero(s.labels == 2) > 5:
            t2f.append(s.images[2][s.labels == 2].mean() > typical[2])
            t2w.append(s.images[3][s.labels == 2].mean() > typical[3])
    assert min(np.mean(t1c), np.mean(t2f), np.mean(t2w)) > 0.85


def test_tumour_grows_over_the_visits_in_the_same_brain() -> None:
    visits = [scan(3, visit, visits=3) for visit in range(3)]
    volumes = [np.count_nonzero(s.labels) for s in visits]
    assert volumes[0] < volumes[1] < volumes[2]
    dates = [str(s.factors["date"]) for s in visits]
    assert dates == sorted(dates) and len(set(dates)) == 3
    assert np.linalg.norm(centroid_mm(visits[0].labels) - centroid_mm(visits[2].labels)) < 10
    assert not np.array_equal(visits[0].images, visits[1].images)


def test_growth_follows_gompertz() -> None:
    tumour = draw_patient(0, 0, 1).tumour
    capacity = 4 * tumour.volume_mm3
    assert grown(tumour, 0.0, 1.0, capacity).volume_mm3 == pytest.approx(tumour.volume_mm3)
    assert grown(tumour, np.log(2), 1.0, capacity).volume_mm3 == pytest.approx(capacity * 4**-0.5)
    assert grown(tumour, 100.0, 1.0, capacity).volume_mm3 == pytest.approx(capacity)


def test_a_patient_is_the_same_at_every_resolution() -> None:
    fine = scan_patient(7, 0, 0, 1, size=96, spacing=2.5, contrast="standard")
    coarse = scan(0)
    centre = (np.argwhere(fine.labels > 0).mean(axis=0) - 47.5) * 2.5
    assert np.linalg.norm(centre - centroid_mm(coarse.labels)) < 4
    assert fine.factors["ln_volume"] == coarse.factors["ln_volume"]


def test_seed_and_index_make_the_patient() -> None:
    assert np.array_equal(scan(5).images, scan(5).images)
    assert scan(5).factors["centre_x_mm"] != scan(6).factors["centre_x_mm"]


def test_mass_effect_moves_tissue_but_not_the_skull() -> None:
    patient = draw_patient(7, 1, 1)
    whole = image_grid(SIZE, SPACING)
    grid = sub_grid(whole, brain_box(whole, patient.pose))
    atlas = load_atlas(SPACING)
    still, pushed = (
        sample_anatomy(atlas, patient.pose, mass_effect(replace(patient.tumour, push=push)), grid) for push in (0, 0.35)
    )
    assert np.abs(still[1] - pushed[1]).max() > 0.3
    assert np.array_equal(still[3], pushed[3])


def test_a_tumour_too_large_for_the_brain_is_cut_to_it() -> None:
    patient = draw_patient(7, 1, 1)
    whole = image_grid(SIZE, SPACING)
    grid = sub_grid(whole, brain_box(whole, patient.pose))
    anatomy = sample_anatomy(load_atlas(SPACING), patient.pose, mass_effect(patient.tumour), grid)
    lesion = grow_lesion(replace(patient.tumour, volume_mm3=1e8), patient.detour, anatomy, grid)
    assert not np.any(lesion.labels[anatomy[3] < 0])
    assert np.mean(lesion.labels[anatomy[3] > 3] > 0) > 0.8


def test_random_contrasts_vary_more_than_standard_ones() -> None:
    means = {
        style: np.array([draw_contrast(np.random.default_rng([4, i]), style).mean for i in range(100)])
        for style in ("standard", "random")
    }
    assert means["standard"].shape == (100, len(MODALITIES), len(TISSUES))
    assert means["random"].std(axis=0).mean() > 1.5 * means["standard"].std(axis=0).mean()
    kinds = [draw_contrast(np.random.default_rng([5, i]), "mixed").kind for i in range(200)]
    assert 0.4 < kinds.count("random") / 200 < 0.6


def test_smooth_fields_have_unit_variance_on_any_grid() -> None:
    fields = [draw_field(np.random.default_rng(i), 15.0) for i in range(4)]
    for size, spacing in ((24, 8.0), (64, 3.0)):
        values = np.stack([field.on(image_grid(size, spacing)) for field in fields])
        assert values.std() == pytest.approx(1, abs=0.06)
    point = fields[0].on(image_grid(3, 10.0))[1, 1, 1]
    assert fields[0].on(image_grid(5, 2.0))[2, 2, 2] == pytest.approx(point, abs=1e-5)


def test_atlas_is_a_head_of_known_size() -> None:
    atlas = load_atlas(SPACING)
    assert atlas.extent_mm.tolist() == [145, 181, 155]
    grey, white, fluid, depth = atlas.maps
    assert np.sum(depth > 0) * atlas.step_mm**3 / 1e6 == pytest.approx(1.89, abs=0.05)
    assert np.all(grey + white + fluid < 1.05)
    assert atlas.seat_odds.sum() == pytest.approx(1)
