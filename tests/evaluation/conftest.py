"""A small cohort of made-up results, whose figures are known."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.calibration import Calibration, FeatureCalibration
from semivae_bundle.evaluation.report import IMAGE_FIGURES
from semivae_bundle.evaluation.results import Results, ShownSubject
from semivae_bundle.evaluation.verdict_targets import VerdictTargets
from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.features.schema import REGION_LABELS

SUBJECTS = 40
PARTITION = {"vol": 4, "loc": 4, "shape": 4, "residual": 8}


@pytest.fixture(scope="session")
def partition() -> dict[str, int]:
    """20 latent dimensions."""
    return dict(PARTITION)


@pytest.fixture(scope="session")
def targets() -> VerdictTargets:
    """What the checks of the report ask for."""
    return VerdictTargets(
        residual_active_fraction=0.6,
        volume_r2=0.8,
        location_r2=0.95,
        shape_r2=0.4,
        largest_correlation=0.35,
        distance_correlation=0.35,
        dice=0.6,
        psnr_gain_brain_db=0.5,
        psnr_gain_tumour_db=0.5,
        coverage_shortfall=0.05,
        leakage_excess=0.1,
        validation_loss_given_back=0.05,
    )


@pytest.fixture(scope="session")
def normalizer() -> Normalizer:
    """Three targets; the surface without its regression on the volume."""
    return Normalizer(
        scales=(
            ColumnScale("vol_total", "vol", 10.0, 1.0, 30),
            ColumnScale("loc_x_total", "loc", 0.5, 0.1, 30),
            ColumnScale("surface_total", "shape", 0.0, 0.2, 30, "vol_total", (1.0, 0.7)),
        ),
        degree=1,
        fov_mm=(240.0, 240.0, 240.0),
        split_sha256="0" * 64,
        features_sha256="1" * 64,
    )


@pytest.fixture
def results(all_results: Results) -> Results:
    """A copy of `all_results`, which a test may change."""
    return deepcopy(all_results)


@pytest.fixture(scope="session")
def all_results() -> Results:
    """40 subjects, the last 10 unlabelled; predictions are the target plus noise of a fifth of its spread."""
    rng = np.random.default_rng(0)
    labelled = np.arange(SUBJECTS) < 30
    target = np.where(labelled[:, None], rng.normal(size=(SUBJECTS, 3)), 0.0)
    scores = {f"{m}_{name}": rng.uniform(0.5, 1, SUBJECTS) for m in MODALITIES for name in IMAGE_FIGURES}
    for region in REGION_LABELS:
        volume = np.exp(rng.normal(10, 1, SUBJECTS))
        scores[f"dice_{region}"] = np.where(labelled, rng.uniform(0.5, 1, SUBJECTS), np.nan)
        scores[f"seen_dice_{region}"] = np.where(labelled, 0.9, np.nan)
        scores[f"mask_vol_{region}_mm3"] = np.where(labelled, volume, np.nan)
        scores[f"decoded_vol_{region}_mm3"] = 2 * volume
        scores[f"seen_vol_{region}_mm3"] = volume
    subjects = tuple(f"BraTS-PHM-{i:05d}-000" for i in range(SUBJECTS))
    mean = rng.normal(size=(SUBJECTS, sum(PARTITION.values()))) * np.repeat([1.0, 0.0], [12, 8])
    log_var = np.zeros_like(mean)
    return Results(
        subjects=subjects,
        patients=tuple(f"BraTS-PHM-{i // 2:05d}" for i in range(SUBJECTS)),
        labelled=labelled,
        mean=mean,
        log_var=log_var,
        own_mean=mean,
        own_log_var=log_var,
        predicted=target + 0.2 * rng.normal(size=target.shape),
        target=target,
        present=np.repeat(labelled[:, None], 3, axis=1),
        scores=pd.DataFrame(scores, index=pd.Index(subjects, name="subject")),
    )


@pytest.fixture(scope="session")
def shown() -> ShownSubject:
    """A ball of a brain with a cube of a tumour, decoded one voxel off."""
    grid = np.stack(np.meshgrid(*[np.arange(24.0)] * 3, indexing="ij"))
    brain = np.square(grid - 11.5).sum(axis=0) < 100
    measured = np.zeros((24, 24, 24), np.uint8)
    measured[8:14, 8:14, 8:14] = 2
    measured[10:12, 10:12, 10:12] = 3
    image = np.random.default_rng(1).normal(size=(4, 24, 24, 24)).astype(np.float32) * brain
    return ShownSubject("phantom-1", image, 0.5 * image, brain, np.roll(measured, 1, axis=0), measured)


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    """Half a unit of ln volume; the width of the surface goes with the cube root; the location has no interval."""
    return Calibration(
        level=0.9,
        features=(
            FeatureCalibration("vol_total", "ln(mm³ + 1)", 0.5, 30, 0.0, "vol_total", 10.0),
            FeatureCalibration("loc_x_total", "fraction of the field of view", None, 3, 0.0, "vol_total", 10.0, "few"),
            FeatureCalibration("surface_total", "ln(mm² + 1)", 0.2, 30, -1 / 3, "vol_total", 10.0),
        ),
        novelty=None,
        novelty_reason="few",
        provenance={"split": "validation", "checkpoint": {"sha256": "c"}, "normalizer": {"sha256": "n"}},
    )
