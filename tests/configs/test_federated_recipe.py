"""Two hospitals and a server, by MONAI's own client: what a round does to the weights."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems
from monai.fl.utils.exchange_object import ExchangeObject
from tiny_networks import TWO_STAGES
from torch import Tensor, nn

from semivae_bundle.features.normalizer import Normalizer

Weights = dict[str, Tensor]
ROOT = Path(__file__).parents[2]
TRAIN, RECIPE, EVALUATE = "configs/train.json", "configs/recipes/federated.yaml", "configs/evaluate.json"
OPTIONS: dict[str, Any] = {
    **TWO_STAGES,
    "split_fractions": {"train": 0.5, "validation": 0.25, "test": 0.25},
    "device": "$torch.device('cpu')",
    "amp": False,
    "workers": 1,
    "loader_workers": 0,
    "progress": False,
    "epochs": 2,
}
EVALUATION = {
    "evaluate_split": "validation",
    "intervals#resamples": 20,
    "intervals#permutations": 5,
    "shown_subjects": 1,
}


def a_client(phantom_dir: Path, output_dir: Path) -> MonaiAlgo:
    place = {"dataset_dir": str(phantom_dir), "output_dir": str(output_dir)}
    client = MonaiAlgo(
        bundle_root=str(ROOT),
        local_epochs=1,
        send_weight_diff=False,
        config_train_filename=[TRAIN, RECIPE],
        train_kwargs={**OPTIONS, **place},
        config_evaluate_filename=[TRAIN, EVALUATE, RECIPE],
        eval_kwargs={**OPTIONS, **place, **EVALUATION},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*executing.*config.*")
        client.initialize(extra={ExtraItems.CLIENT_NAME: output_dir.name})
    return client


@dataclass(frozen=True)
class Round:
    """Weights by name: what the server sent, and what each client began its epoch with and gave back."""

    sent: Weights
    begun: list[Weights]
    given: list[Weights]


@pytest.fixture(scope="module")
def clients(phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[MonaiAlgo]:
    """Two, which happen to have the same scans; each writes to a folder of its own."""
    folder = tmp_path_factory.mktemp("federation")
    return [a_client(phantom_dir, folder / name) for name in ("north", "south")]


@pytest.fixture(scope="module")
def rounds(clients: list[MonaiAlgo]) -> list[Round]:
    """Two rounds of federated averaging."""
    begun: list[Weights] = []
    for client in clients:
        client.trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: begun.append(copied(engine.network)))
    sent, done = copied(clients[0].trainer.network), []
    for _ in range(2):
        begun.clear()
        for client in clients:
            client.train(ExchangeObject(weights=sent))
        given = [copied(client.trainer.network) for client in clients]
        done.append(Round(sent, [*begun], given))
        sent = {name: torch.stack([one[name].double() for one in given]).mean(dim=0).to(sent[name]) for name in sent}
    return done


def copied(network: nn.Module) -> Weights:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def test_every_round_of_a_client_begins_with_the_server_s_weights(rounds: list[Round]) -> None:
    for one in rounds:
        for begun in one.begun:
            torch.testing.assert_close(begun, one.sent, rtol=0, atol=0)
        stem = "encoder.stem.0.weight"
        assert not any(torch.equal(given[stem], one.sent[stem]) for given in one.given)


def test_all_clients_read_features_on_the_scale_of_the_weights_that_ship(clients: list[MonaiAlgo]) -> None:
    (shipped,) = {Normalizer.from_json(ROOT / "models" / "normalizer.json").fitted_on}
    for client in clients:
        assert client.train_workflow.parser.get_parsed_content("normalizer").fitted_on == shipped


def test_a_client_evaluates_what_the_server_sends(clients: list[MonaiAlgo], rounds: list[Round]) -> None:
    sent = rounds[-1].sent
    metrics = clients[0].evaluate(ExchangeObject(weights=sent)).metrics
    torch.testing.assert_close(copied(clients[0].evaluator.network), sent, rtol=0, atol=0)
    assert {"sem/vol_r2", "sem/loc_r2", "sem/shape_r2"} <= set(metrics)


def test_precompute_fills_the_cache_and_leaves_the_shared_normalizer_as_it_is() -> None:
    parser = ConfigParser(ConfigParser.load_config_files([str(ROOT / TRAIN), str(ROOT / RECIPE)]))
    parser["normalizer"] = "as it is read"
    assert parser.get_parsed_content("precompute#0") == "as it is read"
    assert "prepare" in parser["precompute#1"]
