"""Where inference may write."""

import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from semivae_bundle.evaluation.inference_run import digest_of, locked, refuse_folder_of_a_training


def test_the_folder_of_a_training_is_refused_with_another_to_take(tmp_path: Path) -> None:
    refuse_folder_of_a_training(tmp_path)
    (tmp_path / "cohort.json").write_text("{}")
    with pytest.raises(ValueError, match=r"features.csv would be lost; pass --output_dir .*inference"):
        refuse_folder_of_a_training(tmp_path)


def test_a_folder_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    lock, same = locked(tmp_path), locked(tmp_path)
    assert lock is same is not None
    other = (
        "from pathlib import Path; from semivae_bundle.evaluation.inference_run import locked; "
        f"locked(Path({str(tmp_path)!r}))"
    )
    outcome = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert "expected a folder that no other inference writes to, found one at work in" in outcome.stderr
    assert outcome.returncode == 1


def test_networks_whose_weights_have_the_same_names_are_told_apart() -> None:
    one, other = (
        nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(2, 4)),
        nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(4, 4)),
    )
    assert one.state_dict().keys() == other.state_dict().keys()
    assert digest_of(one) != digest_of(other)
    nn.init.zeros_(one[0].weight)
    assert digest_of(one) == digest_of(nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(2, 4)))
