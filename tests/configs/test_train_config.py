"""configs/train.json as a document: nothing twice, nothing misspelt, nothing that does nothing."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from semivae_bundle.losses.objective import SemiVAELoss
from semivae_bundle.networks.partition import partition_slices

ROOT = Path(__file__).parents[2]
FILE, META = ROOT / "configs" / "train.json", ROOT / "configs" / "metadata.json"
# What a person or a client asks for by name; everything else must be referred to by something.
ASKED_FOR = {"_desc_", "index", "precompute", "run", "draw_schedules"}


def refuse_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a key stands twice among {names}"
    return dict(pairs)


CONFIG: dict[str, Any] = json.loads(FILE.read_text(), object_pairs_hook=refuse_repetition)


def strings_of(node: Any) -> Iterator[str]:
    """Every string value at any depth."""
    if isinstance(node, dict):
        for value in node.values():
            yield from strings_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings_of(value)
    elif isinstance(node, str):
        yield node


def targets_of(node: Any) -> Iterator[str]:
    """Every `_target_` at any depth."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from targets_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets_of(value)


REFERENCES = {match for text in strings_of(CONFIG) for match in re.findall(r"[@%]([A-Za-z_][\w#]*)", text)}


def test_a_key_that_stands_twice_is_noticed() -> None:
    with pytest.raises(AssertionError, match="a key stands twice"):
        json.loads('{"a": {"b": 1, "b": 2}}', object_pairs_hook=refuse_repetition)


@pytest.mark.parametrize("target", sorted(set(targets_of(CONFIG))))
def test_every_target_can_be_imported(target: str) -> None:
    assert locate(target) is not None


@pytest.mark.parametrize("reference", sorted(REFERENCES))
def test_every_reference_meets_an_id(reference: str) -> None:
    assert reference in ConfigParser(CONFIG)


@pytest.mark.parametrize("name", sorted(set(CONFIG) - ASKED_FOR))
def test_every_id_is_referred_to(name: str) -> None:
    assert name in {reference.split("#")[0] for reference in REFERENCES}


def test_training_is_the_default_run() -> None:
    assert CONFIG["run"] == "@training"


def test_monai_s_clients_find_every_property(phantom_dir: Path, tmp_path: Path) -> None:
    # The check builds trainer and dataset, so it needs a cohort; three labelled subjects are enough for these targets.
    options = {
        "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
        "residualise": {},
        "roi_size": [32, 32, 32],
        "dataset_dir": str(phantom_dir),
        "output_dir": str(tmp_path),
        "workers": 1,
        "progress": False,
    }
    workflow = ConfigWorkflow(str(FILE), meta_file=str(META), logging_file=False, workflow_type="train", **options)
    workflow.initialize()
    assert not workflow.check_properties()
    assert workflow.max_epochs == CONFIG["epochs"]


def test_the_network_has_the_stated_size_and_shapes() -> None:
    parser = ConfigParser(CONFIG)
    network = parser.get_parsed_content("network_def").eval()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert 8.5e6 < parameters < 1.2e7
    latent = torch.zeros(1, CONFIG["latent_size"])
    assert network.heads(latent).shape == (1, sum(len(columns) for columns in CONFIG["targets"].values()))


def test_each_partition_of_the_shipped_network_sees_only_what_it_is_about() -> None:
    network = ConfigParser(CONFIG).get_parsed_content("network_def")
    features = {name: torch.randn(1, size) for name, size in network.encoder.feature_sizes.items()}
    posterior = network.posterior
    before = torch.stack(posterior(features)).detach()
    seen: dict[str, set[str]] = {name: set() for name in CONFIG["partition"]}
    for name in features:
        after = torch.stack(posterior({**features, name: features[name] + 1}))
        for part, slice_ in partition_slices(CONFIG["partition"]).items():
            if not torch.equal(after[..., slice_], before[..., slice_]):
                seen[part].add(name)
    assert seen == {"vol": {"size"}, "loc": {"place"}, "shape": {"size", "form"}, "residual": set(features)}


def test_the_options_pass_their_own_checks() -> None:
    assert ConfigParser(CONFIG).get_parsed_content("checks") is None


def test_a_bad_option_is_told_before_any_scan_is_read(tmp_path: Path) -> None:
    parser = ConfigParser(json.loads(FILE.read_text()))
    parser.update({"dataset_dir": str(tmp_path / "none"), "semantic_start_epoch": 0, "latent_size": 100})
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("training")
    told = str(caught.value.__cause__ or caught.value)
    assert "latent_size 100" in told
    assert "semantic_start_epoch" in told


def test_every_schedule_moves_a_term_of_the_objective() -> None:
    parser = ConfigParser(CONFIG)
    loss = parser.get_parsed_content("loss")
    assert isinstance(loss, SemiVAELoss)
    assert set(CONFIG["schedules"]) <= set(loss.weights)
    last = {name: schedule(CONFIG["epochs"] - 1) for name, schedule in parser.get_parsed_content("schedules").items()}
    assert last == dict.fromkeys(CONFIG["schedules"], 1.0)


def test_no_path_of_one_machine_is_written_down() -> None:
    assert not [text for text in strings_of(CONFIG) if re.search(r"^(/|~|[A-Za-z]:\\)|/(home|Users|mnt|tmp)/", text)]


def test_half_of_the_decoders_anchors_start_where_the_heads_say_the_tumour_is() -> None:
    parser = ConfigParser(ConfigParser.load_config_file(str(FILE)))
    parser.update({"network_def#encoder#base_filters": 8, "roi_size": [32, 32, 32]})
    network = parser.get_parsed_content("network_def")
    place, size = partition_slices(CONFIG["partition"])["loc"], partition_slices(CONFIG["partition"])["vol"]
    code = torch.randn(6, CONFIG["latent_size"], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said, (centre, width) = network.heads(code), network.decoder.anchors(code)
    torch.testing.assert_close(centre[:, 0], 0.23 * said[:, 4:7])
    expected = math.log(0.3) + 0.27 * said[:, 0]
    torch.testing.assert_close(width[:, 0].log(), expected, atol=0.02, rtol=0)  # bounded softly
    code[:, place] = 0
    code[:, size] = 0
    with torch.no_grad():
        centre, width = network.decoder.anchors(code)
    torch.testing.assert_close(centre[:, :4], torch.zeros(6, 4, 3))
    torch.testing.assert_close(width[:, :4], torch.full((6, 4), 0.3))
    assert centre[:, 4:].abs().min() > 1e-4
