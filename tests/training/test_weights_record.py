"""Weights know what they were trained on."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from tiny_networks import TWO_STAGES
from torch import nn

from semivae_bundle.evaluation.prerequisites import require_fit
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.networks.checkpointing import checkpointed
from semivae_bundle.networks.frozen_features import FrozenFeatures
from semivae_bundle.networks.pooled_features import PooledFeatures
from semivae_bundle.training.frozen import frozen_network
from semivae_bundle.training.initial_weights import started_from
from semivae_bundle.training.settings import differing, settings_of
from semivae_bundle.training.weights_record import (
    options_of,
    require_made_of,
    require_trained_with,
    write_weights_record,
)

ROOT = Path(__file__).parents[2]
TRAIN, INFERENCE = ROOT / "configs" / "train.json", ROOT / "configs" / "inference.json"
NORMALIZER = Normalizer.from_json(ROOT / "models" / "normalizer.json")


def network_def(base: Path, *recipes: str, **options: object) -> nn.Module:
    files = [base, *(ROOT / "configs" / "recipes" / f"{name}.yaml" for name in recipes)]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser.update({**TWO_STAGES, **options})
    network: nn.Module = parser.get_parsed_content("network_def")
    return network


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    return file


@pytest.mark.parametrize("changed", ["split_sha256", "features_sha256"])
def test_another_split_or_other_measurements_are_refused(weights: Path, changed: str) -> None:
    assert write_weights_record(weights, NORMALIZER.fitted_on, {}) == weights.with_suffix(".json")
    require_trained_with(weights, NORMALIZER)
    said = r"was trained with another normalizer, .*to infer give --normalizer_file .* shipped, with --checkpoint_dir"
    with pytest.raises(ValueError, match=said):
        require_trained_with(weights, replace(NORMALIZER, **{changed: "0" * 64}))


def test_the_normalizer_that_was_kept_beside_the_weights_is_named(weights: Path) -> None:
    write_weights_record(weights, NORMALIZER.fitted_on, {})
    other, kept = replace(NORMALIZER, split_sha256="0" * 64), weights.with_name("normalizer.json")
    for beside, said in ((other, "--normalizer_file that of its"), (NORMALIZER, f"--normalizer_file {kept}, that of")):
        beside.to_json(kept)
        with pytest.raises(ValueError, match=said):
            require_trained_with(weights, other)


def test_weights_that_nothing_is_known_of_pass_with_a_warning(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    require_trained_with(weights, NORMALIZER)
    assert "no model.json of these weights beside it" in caplog.text
    write_weights_record(weights, "another", {"network.heads": "another"})
    weights.write_bytes(b"other weights, copied over")
    caplog.clear()
    require_trained_with(weights, NORMALIZER)
    require_made_of(weights, network_def(INFERENCE))
    assert "no model.json of these weights beside it" in caplog.text


def test_a_training_s_last_state_knows_what_it_was_trained_on_and_as_what(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = network_def(TRAIN)
    state = {"network": network.state_dict(), "made_for": NORMALIZER.fitted_on}
    file = tmp_path / "last.pt"
    torch.save(state | {"settings": settings_of({"network": network, "epochs": 2})}, file)
    require_trained_with(file, NORMALIZER)
    assert "its best network is model.pt beside it" in caplog.text
    require_made_of(file, network_def(INFERENCE))
    with pytest.raises(ValueError, match="another normalizer"):
        require_trained_with(file, replace(NORMALIZER, split_sha256="0" * 64))
    with pytest.raises(ValueError, match=r"posterior.min_log_var: then -6.0, now -4.0"):
        require_made_of(file, network_def(INFERENCE, **{"network_def#posterior#min_log_var": -4.0}))


def test_the_weights_that_ship_go_with_the_normalizer_that_ships() -> None:
    assert (ROOT / "models" / "model.json").is_file()
    require_trained_with(ROOT / "models" / "model.pt", NORMALIZER)
    with pytest.raises(ValueError, match="another normalizer"):
        require_trained_with(ROOT / "models" / "model.pt", replace(NORMALIZER, split_sha256="0" * 64))


@pytest.mark.parametrize(
    ("recipes", "option", "value", "said"),
    [
        ((), "network_def#posterior#min_log_var", -4.0, r"posterior.min_log_var: then -6.0, now -4.0; lay the same"),
        (("hierarchy",), "network_def#prior#bound", 2.0, r"prior.parts.0.bound: then 5.0, now 2.0"),
        (("invertible_heads",), "network_def#heads#max_log_scale", 0.5, "max_log_scale: then 1.0, now 0.5"),
    ],
)
def test_an_option_that_leaves_no_trace_in_the_weights_is_named(
    weights: Path, recipes: tuple[str, ...], option: str, value: object, said: str
) -> None:
    write_weights_record(weights, "", options_of(network_def(TRAIN, *recipes)))
    with pytest.raises(ValueError, match=f"was trained with other options: .*{said}"):
        require_made_of(weights, network_def(TRAIN, *recipes, **{option: value}))


def test_wherever_weights_are_loaded_those_of_other_groups_of_the_norm_are_refused(tmp_path: Path) -> None:
    trained, other = network_def(TRAIN), network_def(TRAIN, **{"network_def#encoder#norm_groups": 4})
    file = tmp_path / "model.pt"
    torch.save(trained.state_dict(), file)
    write_weights_record(file, "", options_of(trained))
    loads = (
        lambda network: require_fit(file, network),
        lambda network: frozen_network(network, file, None),
        lambda network: started_from(network, file),
    )
    for load in loads:
        load(trained)
        with pytest.raises(ValueError, match=r"GroupNorm\(8, 8\), now .*GroupNorm\(4, 8\).*; and \d+ more"):
            load(other)


def test_what_inference_runs_and_what_is_remembered_less_of_are_the_same_network() -> None:
    trained, packed, lean = network_def(TRAIN), network_def(INFERENCE), network_def(TRAIN)
    checkpointed(lean.to(memory_format=torch.channels_last_3d), ["encoder*stages.*.*", "decoder*blocks.*"])
    assert differing(options_of(trained), options_of(packed)) == {}
    assert differing(options_of(trained), options_of(lean)) == {}


def test_another_grid_is_warned_of_and_what_training_alone_reads_is_free(
    weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_weights_record(weights, "", options_of(network_def(TRAIN)))
    require_made_of(weights, network_def(TRAIN, **{"network_def#decorrelation#momentum": 0.5}))
    assert not caplog.messages
    require_made_of(weights, network_def(TRAIN, roi_size=[48, 32, 32]))
    assert caplog.messages == [
        f"{weights}: trained on another roi_size, sides in voxels ['then 32, now 48']; its shapes shift"
    ]


def test_an_option_that_only_another_release_has_and_pytorch_s_own_words_do_not_count(weights: Path) -> None:
    network = nn.Sequential(nn.GroupNorm(2, 4), nn.Linear(4, 1))
    norm = "torch.nn.modules.normalization.GroupNorm"
    assert options_of(network)["network.0"] == f"{norm}(2, 4)"
    write_weights_record(weights, "", {"network.0": f"{norm}(2, 4)", "network.gone": "1"})
    require_made_of(weights, network)
    write_weights_record(weights, "", {"network.0": f"{norm}(4, 4)"})
    with pytest.raises(ValueError, match=r"network\.0: then"):
        require_made_of(weights, network)


def test_a_frozen_network_counts_by_what_it_is_shown_and_not_by_its_insides(weights: Path) -> None:
    def reading(views: list[list[int]], network: nn.Module) -> nn.Module:
        return nn.Sequential(FrozenFeatures(PooledFeatures(network, 2, views), size=3))

    write_weights_record(weights, "", options_of(reading([[0, 1]], nn.Sequential(nn.Conv3d(2, 2, 1)))))
    require_made_of(weights, reading([[0, 1]], nn.Sequential(nn.Identity())))
    with pytest.raises(ValueError, match=r"extractor.module.views.0.0: then 0, now 1"):
        require_made_of(weights, reading([[1, 0]], nn.Sequential(nn.Conv3d(2, 2, 1))))


@pytest.mark.parametrize("damaged", ["", "{", "[]"])
def test_a_damaged_record_is_told_and_not_taken_for_none(weights: Path, damaged: str) -> None:
    weights.with_suffix(".json").write_text(damaged)
    with pytest.raises(
        ValueError, match=r"model.json: expected .*; copy it again from beside model.pt of the training"
    ):
        require_trained_with(weights, NORMALIZER)
