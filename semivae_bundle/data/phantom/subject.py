"""One phantom patient: the same brain and tumour at each visit, scanned anew."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.phantom.acquisition import acquire, draw_scanner
from semivae_bundle.data.phantom.anatomy import MassEffect, Pose, draw_pose, load_atlas, sample_anatomy
from semivae_bundle.data.phantom.contrast import Contrast, draw_contrast
from semivae_bundle.data.phantom.detour import Detour, find_detours
from semivae_bundle.data.phantom.fields import Array, Grid, draw_field, image_grid, slices_within, sub_grid
from semivae_bundle.data.phantom.lesion import Lesion, grow_lesion
from semivae_bundle.data.phantom.settle import SETTLING_GRID_MM, settled
from semivae_bundle.data.phantom.tissue import compose_tissues, draw_stripping
from semivae_bundle.data.phantom.tumour import Tumour, draw_tumour, grown
from semivae_bundle.data.subjects import MODALITIES

# Streams of random numbers: a patient's own, and one for each scan.
PATIENT, COURSE, SCAN = 0, 1, 2


@dataclass(frozen=True)
class Patient:
    """What stays the same over the visits, and how the tumour grows."""

    pose: Pose
    tumour: Tumour
    detour: Detour
    first_visit: date
    rate_per_year: float
    capacity_mm3: float
    visit_days: tuple[int, ...]


@dataclass(frozen=True)
class Scan:
    """One visit: images (4, D, H, W) int16 in the order t1c, t1n, t2f, t2w; labels (D, H, W) uint8; both RAS."""

    images: NDArray[np.int16]
    labels: NDArray[np.uint8]
    factors: dict[str, float | str | int]


def draw_patient(seed: int, index: int, visits: int) -> Patient:
    """Patient `index` of the cohort `seed`. Its first visit is the same whatever `visits` is."""
    rng = np.random.default_rng([seed, index, PATIENT])
    atlas = load_atlas(SETTLING_GRID_MM)
    pose = draw_pose(rng, atlas)
    tumour = draw_tumour(rng, atlas, pose)
    grid = sub_grid(whole := image_grid(48, SETTLING_GRID_MM), brain_box(whole, pose))
    anatomy = sample_anatomy(atlas, pose, mass_effect(tumour), grid)
    detour = find_detours(tumour, anatomy, grid)
    tumour = settled(tumour, detour, anatomy, grid)
    course = np.random.default_rng([seed, index, COURSE])
    first = date(2015, 1, 1) + timedelta(days=int(course.integers(0, 3000)))
    rate = float(np.exp(course.normal(0.0, 0.5)))
    capacity = float(max(tumour.volume_mm3 * 1.5, np.exp(course.normal(12.3, 0.2))))
    gaps = course.integers(45, 200, max(visits - 1, 0))
    return Patient(pose, tumour, detour, first, rate, capacity, (0, *(int(d) for d in np.cumsum(gaps))))


def brain_box(whole: Grid, pose: Pose) -> tuple[slice, slice, slice]:
    """The part of an image that holds the brain, with a margin for rotation and bending."""
    reach = pose.half_extent_mm * 1.12 + 6
    return slices_within(whole, pose.centre_mm - reach, pose.centre_mm + reach)


def mass_effect(tumour: Tumour) -> MassEffect:
    """How the tumour pushes the tissue round it."""
    return MassEffect(tumour.centroid_mm, tumour.radius_mm, tumour.push * tumour.radius_mm)


@dataclass(frozen=True)
class Head:
    """One visit before it is scanned, in the part of the image that holds the brain.

    `depth` (X, Y, Z): mm below the brain's surface; `tissues` (9, X, Y, Z): fractions of `contrast.TISSUES`; `rng`: the
    scan's stream of random numbers, up to here.
    """

    rng: np.random.Generator
    patient: Patient
    tumour: Tumour
    contrast: Contrast
    part: tuple[slice, slice, slice]
    grid: Grid
    depth: Array
    lesion: Lesion
    tissues: Array


def draw_head(seed: int, index: int, visit: int, visits: int, *, size: int, spacing: float, contrast: str) -> Head:
    """What a scan of this visit would show, and the contrasts that it would be taken with."""
    atlas = load_atlas(spacing)
    patient = draw_patient(seed, index, visits)
    years = patient.visit_days[visit] / 365.25
    tumour = grown(patient.tumour, years, patient.rate_per_year, patient.capacity_mm3)
    rng = np.random.default_rng([seed, index, SCAN, visit])

    whole = image_grid(size, spacing)
    part = brain_box(whole, patient.pose)
    grid = sub_grid(whole, part)
    anatomy = sample_anatomy(atlas, patient.pose, mass_effect(tumour), grid)
    lesion = grow_lesion(tumour, patient.detour, anatomy, grid)
    drawn = draw_contrast(rng, contrast)
    tissues = compose_tissues(rng, anatomy, lesion, grid)
    return Head(rng, patient, tumour, drawn, part, grid, anatomy[3], lesion, tissues)


def scan_patient(seed: int, index: int, visit: int, visits: int, *, size: int, spacing: float, contrast: str) -> Scan:
    """Image one visit of a patient on a cube of `size` voxels, `spacing` mm each."""
    head = draw_head(seed, index, visit, visits, size=size, spacing=spacing, contrast=contrast)
    return scan_head(head, visit, index, size=size)


def scan_head(head: Head, visit: int, index: int, *, size: int) -> Scan:
    """Image a head; it is used up, since its random numbers are."""
    kept = draw_stripping(head.rng, head.depth, head.lesion.labels > 0, head.grid)
    images = np.zeros((len(MODALITIES), size, size, size), dtype=np.int16)
    images[(slice(None), *head.part)] = render(head.rng, head.tissues, kept, head.contrast, head.grid)
    labels = np.zeros((size, size, size), dtype=np.uint8)
    labels[head.part] = head.lesion.labels
    return Scan(images, labels, describe(head.patient, head.tumour, head.contrast, visit, index))


def render(rng: np.random.Generator, tissues: Array, kept: Array, contrast: Contrast, grid: Grid) -> NDArray[np.int16]:
    """The four channels of a scan, (4, X, Y, Z), of what skull-stripping `kept` (X, Y, Z) of the tissues."""
    # Details of the tissue show in all channels, each with its own sign; every channel adds some of its own.
    grain_mm = max(3.5, 1.3 * grid.spacing)
    shared = draw_field(rng, grain_mm).on(grid)
    channels = []
    for mean, spread, gamma in zip(contrast.mean, contrast.texture, contrast.gamma, strict=True):
        slow, own = (draw_field(rng, knot).on(grid) for knot in (22.0, grain_mm))
        texture = 0.6 * rng.choice((-1, 1)) * shared + 0.5 * own + 0.9 * slow
        signal = np.tensordot(mean.astype(np.float32), tissues, axes=1)
        signal += np.tensordot(spread.astype(np.float32), tissues, axes=1) * texture
        signal = np.clip(signal, 0, None) ** np.float32(gamma)
        channels.append(acquire(rng, signal, kept, grid, draw_scanner(rng)))
    return np.stack(channels)


def describe(
    patient: Patient, tumour: Tumour, contrast: Contrast, visit: int, index: int
) -> dict[str, float | str | int]:
    """The generating factors of a scan, one row of factors.csv. Place and sphericity are those that the tumour was
    settled to at the first visit, the volume is the visit's own.
    """
    x, y, z = (float(v) for v in tumour.centroid_mm)
    ncr, ed, et = tumour.fractions
    return {
        "patient": f"{index:05d}",
        "visit": f"{visit:03d}",
        "date": (patient.first_visit + timedelta(days=patient.visit_days[visit])).isoformat(),
        "ln_volume": float(np.log(tumour.volume_mm3)),
        "centre_x_mm": x,
        "centre_y_mm": y,
        "centre_z_mm": z,
        "fraction_ncr": ncr,
        "fraction_ed": ed,
        "fraction_et": et,
        "elongation": tumour.elongation,
        "sphericity": tumour.sphericity,
        "irregularity": tumour.irregularity,
        "smoothness": tumour.smoothness,
        "infiltration": tumour.infiltration,
        "rim": tumour.rim,
        "mass_effect": tumour.push,
        "foci": len(tumour.foci),
        "contrast": contrast.kind,
        "contrast_strength": contrast.strength,
        "growth_per_year": patient.rate_per_year,
        "capacity_mm3": patient.capacity_mm3,
    }
