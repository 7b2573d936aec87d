"""An evaluation's numbers as a metadata.json's `eval_metrics`: python scripts/eval_metrics.py outputs/evaluation

Prints them as JSON. With `--metadata configs/metadata.json --of phantoms` it writes them there, each name beginning
with what the evaluated scans are: `phantoms_vol_mean_r2`. The field itself cannot say it.
"""

from __future__ import annotations

import json
from pathlib import Path

import fire

from semivae_bundle.data.files import read_record, write_text_atomically
from semivae_bundle.evaluation.eval_metrics import eval_metrics
from semivae_bundle.evaluation.report_page import read_metrics


def show(evaluation_dir: str, metadata: str | None = None, of: str = "") -> None:
    """Print the numbers, or write them.

    Args:
        evaluation_dir: the folder of metrics.json
        metadata: a metadata.json, whose `eval_metrics` they become
        of: what the evaluated scans are, in a word
    """
    numbers = eval_metrics(read_metrics(Path(evaluation_dir)))
    named = {f"{of}_{name}" if of else name: value for name, value in numbers.items()}
    if metadata is None:
        print(json.dumps({"eval_metrics": named}, indent=4))
        return
    if not of:
        raise SystemExit("eval_metrics: --metadata needs --of, such as phantoms: a reader must know what was evaluated")
    content = read_record(metadata, "take it from the repository again")
    write_text_atomically(metadata, json.dumps(content | {"eval_metrics": named}, indent=4, ensure_ascii=False) + "\n")
    print(f"{metadata}: eval_metrics written")


if __name__ == "__main__":
    fire.Fire(show)
