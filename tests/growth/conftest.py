from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from made_up_inference import curves_of, volumes_of, write_inference


@pytest.fixture(scope="session")
def truth() -> pd.DataFrame:
    return curves_of(30)


@pytest.fixture(scope="session")
def inference(truth: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 patients, volumes right and known to 2 %."""
    return write_inference(tmp_path_factory.mktemp("growth"), volumes_of(truth), 0.02)


@pytest.fixture
def changed(truth: pd.DataFrame, tmp_path: Path) -> Callable[..., Path]:
    """Makes an inference of three patients, twelve scans, with the given columns in place of what they were."""

    def change(**columns: object) -> Path:
        volumes = volumes_of(truth[:3])
        spread = columns.pop("sd", 0.02)
        return write_inference(tmp_path / "changed", volumes.assign(**columns), float(str(spread)))

    return change
