"""What a training is made of, as text."""

from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from tiny_networks import THREE_STAGES
from torch import nn

from semivae_bundle.data.transforms import intensity_augmentation
from semivae_bundle.losses.queue import MeanQueue
from semivae_bundle.networks.checkpointing import checkpointed
from semivae_bundle.training.schedules import LinearRamp
from semivae_bundle.training.settings import differing, settings_of

CONFIGS = Path(__file__).parents[2] / "configs"


def augmentation(noise_std: float) -> object:
    return intensity_augmentation(["image"], probability=0.1, noise_std=noise_std, bias=0.3, gamma=[0.7, 1.5])


def test_numbers_text_and_records_are_told_by_their_path() -> None:
    found = settings_of({"a": {"b": [1, None]}, "c": "d", "ramp": LinearRamp(0, 2.5)})
    assert found == {
        "a.b.0": "1",
        "a.b.1": "None",
        "c": "'d'",
        "ramp": "semivae_bundle.training.schedules.LinearRamp",
        "ramp.start": "0",
        "ramp.length": "2.5",
    }


@pytest.mark.parametrize(
    ("then", "now", "path"),
    [
        (nn.Linear(1, 2), nn.Linear(1, 3), "it"),
        (nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh()), "it.0"),
        (settings_of, differing, "it"),
    ],
)
def test_another_layer_or_function_is_seen(then: object, now: object, path: str) -> None:
    found = differing(settings_of({"it": then}), settings_of({"it": now}))
    assert list(found) == [path]


def test_an_augmentation_of_other_strength_is_seen() -> None:
    once, again, stronger = (settings_of({"it": augmentation(std)}) for std in (0.1, 0.1, 0.2))
    assert differing(once, again) == {}
    assert set(differing(once, stronger).values()) == {"then 0.1, now 0.2"}


def test_what_is_learned_or_drawn_is_no_setting() -> None:
    queue, transform = MeanQueue(8, 3), augmentation(0.1)
    before = settings_of({"queue": queue, "transform": transform})
    queue(torch.ones(2, 3), torch.arange(2))
    transform({"image": torch.rand(4, 8, 8, 8), "brain": torch.ones(1, 8, 8, 8)})
    after = settings_of({"queue": queue, "transform": transform})
    assert not [path for path in differing(before, after) if path.startswith("queue")]


def test_a_thing_that_holds_itself_is_told_once() -> None:
    thing = LinearRamp(0, 1)
    object.__setattr__(thing, "itself", thing)
    assert "ramp.itself" not in settings_of({"ramp": thing})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("loss#weights#tumour", 2.0),
        ("loss#semantic_sigma", 0.3),
        ("learning_rate", 0.1),
        ("network_def#decorrelation#momentum", 0.5),
        ("network_def#decoder#frequencies", 1),
        ("schedules#kl#cycles", 3),
        ("batch_size", 2),
        ("lr_scheduler#end_lr", 1e-6),
        ("warmup_epochs", 1.0),
        ("train#handlers#3#max_norm", 1.0),
        ("seed", 1),
        ("train#dataset", [0] * 9),
    ],
)
def test_the_settings_of_the_config_see_every_option_of_the_training(option: str, value: Any) -> None:
    found = []
    for options in ({}, {option: value}):
        parser = ConfigParser(ConfigParser.load_config_file(str(CONFIGS / "train.json")))
        parser.update(
            {**THREE_STAGES, "device": "cpu", "settings#augmentation": None, "train#dataset": [0] * 8, **options}
        )
        found.append(settings_of(parser.get_parsed_content("settings")))
    changed = differing(*found)
    assert changed
    assert len(changed) < 4


def test_what_is_run_again_in_the_backward_pass_is_the_same_network() -> None:
    plain, lean = (nn.Sequential(nn.Sequential(nn.Linear(2, 3)), nn.ReLU()) for _ in range(2))
    assert settings_of({"network": checkpointed(lean, ["0.*"])}) == settings_of({"network": plain})
