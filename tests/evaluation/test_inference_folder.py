"""Where inference may write."""

from pathlib import Path

import pytest

from semivae_bundle.evaluation.inference_run import refuse_folder_of_a_training


def test_the_folder_of_a_training_is_refused_with_another_to_take(tmp_path: Path) -> None:
    refuse_folder_of_a_training(tmp_path)
    (tmp_path / "cohort.json").write_text("{}")
    with pytest.raises(ValueError, match=r"features.csv would be lost; pass --output_dir .*inference"):
        refuse_folder_of_a_training(tmp_path)
