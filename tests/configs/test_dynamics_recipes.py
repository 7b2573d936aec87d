"""The recipes on how the objective is trained: what each says, and those that act within the steps together."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from test_recipes import CONFIGS, INFERENCE, SMALL, TRAIN, overlaid
from torch import Tensor
from torch.nn.functional import mse_loss

from semivae_bundle.losses.kl import gaussian_kl

RECIPES = CONFIGS / "recipes"
TOGETHER = ("lagging_inference", "auxiliary_decoder", "gradient_norms", "capacity", "uncertainty_weights")


def root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def a_batch() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """An output of the shipped sizes on 8³ voxels, and its target."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    output = {name: normal(2, 128).requires_grad_() for name in ("mean", "log_var", "latent", "explained")}
    output |= {
        name: normal(2, 4, 8, 8, 8).requires_grad_() for name in ("reconstruction", "tumour_logits", "seen_logits")
    }
    output["features"] = normal(2, 13).requires_grad_()
    regions = 0.5 * normal(2, 4, 8, 8, 8).softmax(dim=1)[:, :3]
    target = {"image": normal(2, 4, 8, 8, 8), "regions": regions, "brain": torch.ones(2, 1, 8, 8, 8)}
    target |= {"features": normal(2, 13), "present": torch.ones(2, 13), "labelled": torch.ones(2, dtype=torch.bool)}
    return output, target


def test_collapse_is_the_mean_squared_error_against_the_summed_kl_at_every_step() -> None:
    parser = overlaid(TRAIN, RECIPES / "collapse.yaml")
    loss, schedules = parser.get_parsed_content("loss"), parser.get_parsed_content("schedules")
    for epoch in (0, 0.5, 29):
        loss.scale.update({name: schedule(epoch) for name, schedule in schedules.items()})
        output, target = a_batch()
        loss(output, target).backward()
        plain = mse_loss(output["reconstruction"], target["image"])
        (expected,) = torch.autograd.grad(plain, output["reconstruction"])
        torch.testing.assert_close(output["reconstruction"].grad, expected)
        (expected,) = torch.autograd.grad(gaussian_kl(output["mean"], output["log_var"]).sum(), output["log_var"])
        torch.testing.assert_close(output["log_var"].grad, expected)
        assert not output["tumour_logits"].grad.any()
        assert output["seen_logits"].grad.any()
    assert parser.get_parsed_content("checks") is None


def test_capacity_takes_the_place_of_the_kl_and_rises_to_its_target() -> None:
    parser = overlaid(TRAIN, RECIPES / "capacity.yaml")
    loss = parser.get_parsed_content("loss")
    output, target = a_batch()
    loss(output, target)
    assert loss.weight_of("kl_residual") == 0
    gaps = sum(abs(loss.terms[f"kl_{name}"] - nats) for name, nats in loss.extra["capacity"].capacity.items())
    torch.testing.assert_close(loss.terms["capacity"], gaps)
    assert parser["train#handlers"][-1]["schedules"] == "@capacity_schedules"
    assert set(parser["capacity_schedules"]) == set(parser["partition"])
    assert parser.get_parsed_content("checks") is None


def test_uncertainty_weights_start_as_the_stated_noise_and_take_the_place_of_the_semantic_terms() -> None:
    parser = overlaid(TRAIN, RECIPES / "uncertainty_weights.yaml")
    loss, schedules = parser.get_parsed_content("loss"), parser.get_parsed_content("schedules")
    loss(*a_batch())
    stated = sum(loss.terms[f"semantic_{name}"] for name in loss.feature_slices)
    torch.testing.assert_close(loss.terms["noise"], stated)
    plain = ConfigParser(ConfigParser.load_config_file(str(TRAIN))).get_parsed_content("schedules")["semantic"]
    assert (loss.weight_of("semantic_vol"), schedules["noise"]) == (0, plain)
    assert parser.get_parsed_content("checks") is None


def test_the_lagging_encoder_is_all_that_the_posterior_comes_from_and_nothing_of_the_decoder() -> None:
    parser = overlaid(TRAIN, RECIPES / "lagging_inference.yaml")
    parser.update({"roi_size": [32, 32, 32], "device": "$torch.device('cpu')"})
    network, encoder = parser.get_parsed_content("network"), parser.get_parsed_content("lagging#encoder")
    mean, log_var, seen_logits, _ = network.encode(torch.randn(1, 4, 32, 32, 32))
    (mean.sum() + log_var.sum() + seen_logits.sum()).backward()
    ours = {id(parameter) for parameter in encoder}
    others = {name.split(".")[0] for name, p in network.named_parameters() if id(p) not in ours}
    assert {name for name, p in network.named_parameters() if p.grad is not None and id(p) not in ours} == set()
    assert others == {"heads", "decoder"}


def test_the_curriculum_is_in_order_and_one_that_is_not_is_told_before_any_scan_is_read(tmp_path: Path) -> None:
    assert overlaid(TRAIN, RECIPES / "curriculum.yaml").get_parsed_content("checks") is None
    parser = overlaid(TRAIN, RECIPES / "curriculum.yaml")
    parser.update(
        {"dataset_dir": str(tmp_path / "none"), "schedules#semantic_loc#start": 12, "schedules#independence#start": 30}
    )
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("training")
    told = str(root_cause(caught.value))
    assert "schedules.semantic_shape: expected to start after semantic_loc" in told
    assert "independence never starts within 30 epochs" in told


def run_together(phantom_dir: Path, folder: Path, checkpoints: str, epochs: int) -> tuple[ConfigParser, dict[str, Any]]:
    """Two tiny epochs, or the first of them, under all of TOGETHER; the parser and what last.pt holds."""
    files = [TRAIN, *(RECIPES / f"{name}.yaml" for name in TOGETHER)]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    options = {"dataset_dir": str(phantom_dir), "output_dir": str(folder), "checkpoint_dir": str(folder / checkpoints)}
    parser.update({**options, **copy.deepcopy(SMALL), "lagging#last_epoch": 2, "lagging#steps": 1})
    (grad,) = (i for i, one in enumerate(parser["train#handlers"]) if "every" in one)
    parser.update(
        {f"train#handlers#{grad}#every": 1, "device": "$torch.device('cpu')", "train#trainer#max_epochs": epochs}
    )
    torch.manual_seed(0)
    parser.get_parsed_content("train#trainer").run()
    return parser, torch.load(folder / checkpoints / "last.pt", weights_only=True)


@pytest.fixture(scope="module")
def together(phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ConfigParser, dict[str, Any], Path]:
    """Two epochs in one go, and their folder."""
    folder = tmp_path_factory.mktemp("together")
    return *run_together(phantom_dir, folder, "whole", 2), folder


def test_recipes_of_the_steps_lie_over_each_other_and_log_their_figures(together) -> None:
    parser, _, _ = together
    metrics = parser.get_parsed_content("train#trainer").state.metrics
    assert metrics["grad/capacity"] > 0
    assert metrics["grad/coarse"] > 0
    assert metrics["grad/kl_vol"] == 0
    names = {"noise/vol", "capacity/residual", "train/coarse", "train/noise", "info/residual", "lagging/active"}
    assert names <= set(metrics)
    rows = (together[2] / "metrics.csv").read_text()
    assert all(f"\n2,{name}," in rows for name in {"grad/reconstruction", *names})


def test_a_checkpoint_holds_the_objective_s_parameters_and_the_model_does_not(together) -> None:
    parser, last, folder = together
    weight, noise = last["objective"]["extra.coarse.decoder.weight"], last["objective"]["extra.noise.log_var"]
    assert weight.shape == (2048, 76)
    assert (noise != noise[0]).any()
    assert last["lagging"]["active"] == 1
    held = sum(len(group["params"]) for group in last["optimizer"]["param_groups"])
    assert held == len(list(parser.get_parsed_content("network").parameters())) + 3
    model = torch.load(folder / "whole" / "model.pt", weights_only=True)
    plain = ConfigParser(ConfigParser.load_config_file(str(INFERENCE)))
    plain.update({name: value for name, value in SMALL.items() if name.startswith(("network_def", "roi", "targets"))})
    plain.get_parsed_content("network_def").load_state_dict(model, strict=True)


def test_the_checkpoint_says_how_the_recipes_act_on_the_steps(together) -> None:
    said = together[1]["settings"]
    assert (said["lagging.steps"], said["lagging.gain"], said["lagging.last_epoch"]) == ("1", "0.01", "2")
    assert said["capacity.schedules.residual.length"] == "1.0"
    assert (said["seed"], said["training_scans"], said["max_norm"], said["end_lr"]) == ("0", "4", "10000.0", "1e-05")
    assert said["warmup_epochs"] == "0.1"


def test_a_resumed_run_gives_what_an_unbroken_one_gives(phantom_dir: Path, together) -> None:
    _, whole, folder = together
    run_together(phantom_dir, folder, "broken", 1)
    _, broken = run_together(phantom_dir, folder, "broken", 2)
    for name in ("network", "objective", "optimizer", "lagging"):
        torch.testing.assert_close(broken[name], whole[name], rtol=1e-6, atol=1e-6)
