"""An evaluation's numbers for a metadata.json's `eval_metrics`: python scripts/eval_metrics.py outputs/evaluation

Prints JSON for `eval_metrics`; writes nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import fire

from semivae_bundle.evaluation.eval_metrics import eval_metrics
from semivae_bundle.evaluation.report_page import read_metrics


def show(evaluation_dir: str) -> None:
    """Print the numbers.

    Args:
        evaluation_dir: the folder of metrics.json
    """
    print(json.dumps({"eval_metrics": eval_metrics(read_metrics(Path(evaluation_dir)))}, indent=4))


if __name__ == "__main__":
    fire.Fire(show)
