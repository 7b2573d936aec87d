"""Sends what a training logs to MLflow as well."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monai.handlers import MLFlowHandler
from monai.utils import path_to_sqlite_uri


def mlflow_handler(
    output_dir: str | Path, tracking_uri: str | None, experiment: str, parameters: Mapping[str, Any]
) -> MLFlowHandler:
    """MONAI's handler: every epoch's metrics, and `parameters`, in a run of `experiment` named after `output_dir`.

    `tracking_uri` None: a database mlflow.db in `output_dir`, which `mlflow ui --backend-store-uri` shows. A resumed
    training goes on in its run. Raises ValueError where mlflow is not installed.
    """
    if find_spec("mlflow") is None:
        raise ValueError(
            "recipe mlflow: expected the package mlflow, found none; install it with: "
            "pip install -c constraints.txt -e '.[mlflow]', or leave the recipe out"
        )
    folder = Path(output_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return MLFlowHandler(
        tracking_uri=tracking_uri or path_to_sqlite_uri(str(folder / "mlflow.db")),
        iteration_log=False,
        experiment_name=experiment,
        run_name=str(folder),
        experiment_param=dict(parameters),
        close_on_complete=True,
    )
