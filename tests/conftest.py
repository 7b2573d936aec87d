"""Fixtures shared by the whole suite."""

from pathlib import Path

import pytest

from semivae_bundle.data.phantom.cohort import generate_phantoms


@pytest.fixture(scope="session")
def phantom_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight phantom patients, 32³ voxels of 7.5 mm, two of them without a mask; made once per test run, read-only."""
    folder = tmp_path_factory.mktemp("phantoms")
    generate_phantoms(folder, 8, size=32, spacing=7.5, seed=0, unlabelled=0.25, workers=1, progress=False)
    return folder
