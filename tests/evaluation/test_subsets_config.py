"""The run id evaluating_subsets of configs/evaluate.json, with a recipe for subsets, from files to files."""

from pathlib import Path

import pandas as pd
import pytest
from monai.bundle import ConfigParser
from test_evaluate_config import EVALUATE, ROOT, TINY, TRAIN, run, write_untrained_weights

RECIPE = ROOT / "configs" / "recipes" / "presence_planes.yaml"


def test_the_whole_set_has_the_figures_of_the_ordinary_evaluation(phantom_dir: Path, tmp_path: Path) -> None:
    parser = ConfigParser()
    parser.read_config([str(TRAIN), str(EVALUATE), str(RECIPE)])
    parser.update({"bundle_root": str(ROOT), "dataset_dir": str(phantom_dir), "output_dir": str(tmp_path), **TINY})
    parser["evaluate_split"] = "train"
    # The ordinary evaluator without its report, which takes long and is tested elsewhere.
    parser["validate#handlers"] = parser["validate#handlers"][:1]
    write_untrained_weights(parser, tmp_path)
    run(parser, "evaluating_subsets")
    table = pd.read_csv(tmp_path / "evaluation" / "subsets.csv", index_col="modalities")
    evaluator = parser.get_parsed_content("validate#evaluator")
    evaluator.run()
    assert len(table) == 15
    whole = table.loc["t1c+t1n+t2f+t2w"]
    assert whole["mean_r2"] == pytest.approx(evaluator.state.metrics["sem/mean_r2"], rel=1e-4)
    for name in ("vol", "loc", "shape"):
        assert whole[f"r2_{name}"] == pytest.approx(evaluator.state.metrics[f"sem/{name}_r2"], rel=1e-4)
    assert (tmp_path / "evaluation" / "subsets.png").is_file()
