"""The recipes for missing modalities train, and say what is missing when they are not alone."""

import copy
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from test_recipes import CONFIGS, OF_SUBSETS, SMALL, TRAIN, overlaid
from tiny_networks import TWO_STAGES

from semivae_bundle.networks.refinement import SegmentationRefinement
from semivae_bundle.training.subset_batch import PrepareSubsetBatch


@pytest.mark.parametrize("recipe", OF_SUBSETS)
def test_two_tiny_epochs_train_on_subsets_and_reconstruct_whole_scans(
    recipe: str, phantom_dir: Path, tmp_path: Path
) -> None:
    files = [TRAIN, *(CONFIGS / "recipes" / f"{name}.yaml" for name in ("modality_dropout", recipe))]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser.update({"dataset_dir": str(phantom_dir), "output_dir": str(tmp_path), **copy.deepcopy(SMALL)})
    parser.update({"device": "$torch.device('cpu')", "dropped_share": 0.9})
    parser["train#trainer#prepare_batch#more"] = ["modalities"]
    torch.manual_seed(0)
    trainer = parser.get_parsed_content("train#trainer")
    before = copy.deepcopy(parser.get_parsed_content("network").state_dict())
    trainer.run()
    seen = (trainer.state.output["image"] != 0).flatten(2).any(dim=2)
    target = trainer.state.output["label"]
    assert torch.equal(seen, target["modalities"] > 0)
    assert not seen.all()
    assert (target["image"] != 0).flatten(2).any(dim=2).all()
    after = parser.get_parsed_content("network").state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in after.items() if "encoder" in name)


@pytest.mark.parametrize("recipe", OF_SUBSETS)
def test_the_segmentation_corrected_at_full_resolution_goes_with_them(recipe: str) -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / f"{recipe}.yaml")
    parser.update(copy.deepcopy(TWO_STAGES))
    network = parser.get_parsed_content("network_def")
    assert any(isinstance(module, SegmentationRefinement) for module in network.modules())
    assert network(torch.randn(2, 4, 32, 32, 32))["seen_logits"].shape == (2, 4, 32, 32, 32)


def test_a_batch_without_hidden_modalities_names_the_way_out() -> None:
    with pytest.raises(KeyError, match="lay modality_dropout last"):
        PrepareSubsetBatch()({"image": torch.zeros(1, 4, 2, 2, 2)})
