"""Tumours as factors: volume, place and shape, drawn independently of each other."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from semivae_bundle.data.phantom.anatomy import Atlas, Pose
from semivae_bundle.data.phantom.fields import SmoothField, draw_field

Place = NDArray[np.float64]

# How far outline fields reach, in radii of the tumour.
OUTLINE_REACH = 4.0


@dataclass(frozen=True)
class Focus:
    """A centre of growth: its place relative to the first one, in radii, and how far it lags behind, in radii."""

    offset: Place
    lag: float


@dataclass(frozen=True)
class Tumour:
    """The generating factors of one tumour. Volumes in mm³, places in image mm (RAS, from the image centre)."""

    volume_mm3: float
    fractions: tuple[float, float, float]  # NCR, ED, ET; they sum to one
    centroid_mm: Place  # intended for the whole tumour
    seed_mm: Place  # where it grows from, so that the centroid comes out as intended
    sphericity: float  # intended at 5 mm
    irregularity: float  # amplitude of the outline that brings it about
    metric: NDArray[np.float64]  # (3, 3), volume-preserving: |metric @ offset| is the elongated distance
    elongation: float
    smoothness: float  # correlation length of the outline, in radii
    infiltration: float  # 0: grows evenly; 1: along white matter only
    feathering_mm: float  # softness of the oedema's edge
    satellites: tuple[Focus, ...]
    core_shift: Place  # of the core's centre, in radii
    rim: float  # 1: enhancing rim round a necrotic core; 0: the two lie side by side
    push: float  # mass effect: displacement at the tumour's edge, in radii
    outline: tuple[SmoothField, SmoothField]  # coarse and fine, in units of the radius
    core_outline: SmoothField
    necrosis: SmoothField

    @property
    def radius_mm(self) -> float:
        """Radius of the ball of the same volume."""
        return float((3 * self.volume_mm3 / (4 * np.pi)) ** (1 / 3))

    @property
    def foci(self) -> tuple[Focus, ...]:
        """All centres of growth, the first one included."""
        return (Focus(np.zeros(3), 0.0), *self.satellites)


def draw_tumour(rng: np.random.Generator, atlas: Atlas, pose: Pose) -> Tumour:
    """Factors of a tumour. Spreads are a little wider than those of 54 expert-labelled gliomas, for training."""
    volume = float(np.exp(np.clip(rng.normal(11.3, 0.85), 8.6, 12.8)))
    radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
    seat = atlas.seats_mm[rng.choice(len(atlas.seats_mm), p=atlas.seat_odds)]
    centre = pose.to_image(seat + rng.uniform(-1.5, 1.5, 3))
    elongation = float(np.exp(abs(rng.normal(0, 0.35))))
    flattening = float(np.exp(rng.normal(0, 0.12)))
    axes = np.array([elongation**-1, elongation**0.5 * flattening, elongation**0.5 / flattening])
    turn = Rotation.random(rng=rng).as_matrix()
    smoothness = float(rng.uniform(0.4, 1.0))
    # Details below 4 mm would be lost between voxels.
    fine = max(smoothness / 3, 4.0 / radius)
    return Tumour(
        volume_mm3=volume,
        fractions=draw_fractions(rng),
        centroid_mm=centre,
        seed_mm=centre,
        sphericity=float(np.clip(rng.normal(0.65, 0.13), 0.36, 0.9)),
        irregularity=0.2,
        metric=turn @ np.diag(axes) @ turn.T,
        elongation=elongation,
        smoothness=smoothness,
        infiltration=float(rng.uniform(0.1, 0.9)),
        feathering_mm=float(rng.uniform(0.3, 2.0)),
        satellites=draw_satellites(rng),
        core_shift=np.clip(rng.normal(0, 0.22, 3), -0.5, 0.5),
        rim=float(rng.beta(2.0, 0.8)),
        push=float(rng.uniform(0.0, 0.35)),
        outline=(draw_field(rng, smoothness, reach_mm=OUTLINE_REACH), draw_field(rng, fine, reach_mm=OUTLINE_REACH)),
        core_outline=draw_field(rng, 0.3, reach_mm=OUTLINE_REACH),
        necrosis=draw_field(rng, 0.22, reach_mm=OUTLINE_REACH),
    )


def draw_fractions(rng: np.random.Generator) -> tuple[float, float, float]:
    """Shares of NCR, ED and ET in the volume; in about one case in ten a region is absent."""
    weights = np.exp([rng.normal(-1.2, 1.4), 0.0, rng.normal(-1.2, 1.2)])
    absent = rng.random()
    if absent < 0.05:
        weights[2] = 0
    elif absent < 0.095:
        weights[0] = 0
    elif absent < 0.105:
        weights[1] = 0
    ncr, ed, et = weights / weights.sum()
    return float(ncr), float(ed), float(et)


def draw_satellites(rng: np.random.Generator) -> tuple[Focus, ...]:
    """Further foci, in about one case in eight: near by, smaller."""
    if rng.random() > 0.12:
        return ()
    direction = rng.normal(size=3)
    return (Focus(direction / np.linalg.norm(direction) * rng.uniform(1.1, 1.9), float(rng.uniform(0.1, 0.6))),)


def grown(tumour: Tumour, years: float, rate_per_year: float, capacity_mm3: float) -> Tumour:
    """The tumour some years later by Gompertz' law, V(t) = K (V0/K)^exp(-rate t); all else stays."""
    volume = capacity_mm3 * (tumour.volume_mm3 / capacity_mm3) ** np.exp(-rate_per_year * years)
    return replace(tumour, volume_mm3=float(volume))
