"""Where inference may write."""

from pathlib import Path

import pytest
from torch import nn

from semivae_bundle.evaluation.inference_run import digest_of, refuse_folder_of_a_training


def test_the_folder_of_a_training_is_refused_with_another_to_take(tmp_path: Path) -> None:
    refuse_folder_of_a_training(tmp_path)
    (tmp_path / "cohort.json").write_text("{}")
    with pytest.raises(ValueError, match=r"features.csv would be lost; pass --output_dir .*inference"):
        refuse_folder_of_a_training(tmp_path)


def test_networks_whose_weights_have_the_same_names_are_told_apart() -> None:
    one, other = (
        nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(2, 4)),
        nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(4, 4)),
    )
    assert one.state_dict().keys() == other.state_dict().keys()
    assert digest_of(one) != digest_of(other)
    nn.init.zeros_(one[0].weight)
    assert digest_of(one) == digest_of(nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(2, 4)))
