"""What only a GPU, or several, would show: tensors of two devices that meet, and what makes a GPU wait."""

import copy
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from fake_gpu import GPU, fake_gpu
from monai.bundle import ConfigParser
from tiny_networks import THREE_STAGES, TWO_STAGES
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError

from semivae_bundle.losses.tumour import of_labelled
from semivae_bundle.training.reconstruction_images import side_by_side

CONFIGS = Path(__file__).parents[1] / "configs"
# What a recipe has to name for a step of the training to be another one.
OF_THE_STEP = ("network_def", "loss", "train#inferer", "train#trainer#prepare_batch")
OVER_INFERENCE = ("hierarchy_inference",)


def changes_the_step(recipe: Path) -> bool:
    return any(name.lstrip("+").startswith(OF_THE_STEP) for name in yaml.safe_load(recipe.read_text()))


FOUND = [recipe.stem for recipe in sorted((CONFIGS / "recipes").glob("*.yaml")) if changes_the_step(recipe)]
RECIPES = ["train", *(name for name in FOUND if name not in OVER_INFERENCE)]
CONVOLUTION = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 3}
DINOV2_SIZES = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 14, "image_size": 28}
DINOV2 = {"_target_": "transformers.Dinov2Model", "config": {"_target_": "transformers.Dinov2Config", **DINOV2_SIZES}}
# Networks that somebody else trained come without their weights; what needs a cohort is told its size.
OPTIONS: dict[str, dict[str, Any]] = {
    "multi_scale_shape": THREE_STAGES,
    "mean_teacher": {"train#steps": 100},
    "total_correlation": {"loss#extra#correlation#dataset_size": 10},
    "feature_distance": {"loss#extra#perception#network": CONVOLUTION},
    "learned_residual": {"extractor#network": CONVOLUTION, "extractor#width": 2},
    "learned_residual_swin": {"extractor#network": "@extractor_network", "extractor_network#embed_dim": 12},
    "learned_residual_dinov2": {
        "extractor#network": DINOV2,
        "extractor#width": 12,
        "extractor#patch_size": 14,
        "extractor#side": 28,
        "extractor#slices": 1,
    },
}
NEEDS = {"learned_residual_swin": "einops", "learned_residual_dinov2": "transformers"}


def parser_of(recipe: str, **options: Any) -> ConfigParser:
    """train.json under a recipe, with a tiny network, made for real on the CPU."""
    if recipe in NEEDS:
        pytest.importorskip(NEEDS[recipe], reason="an optional dependency of this recipe")
    files = [CONFIGS / "train.json", *([] if recipe == "train" else [CONFIGS / "recipes" / f"{recipe}.yaml"])]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser.update(copy.deepcopy({**TWO_STAGES, "network_def#decoder#atlas#side": 8, **OPTIONS.get(recipe, {})}))
    parser.update(options)
    for part in ("network_def", "loss"):
        parser.get_parsed_content(part)
    return parser


def a_batch(parser: ConfigParser, scans: int) -> dict[str, Tensor]:
    """As the loader gives it, with whatever a recipe may want; every second scan is labelled."""
    roi, channels = parser["roi_size"], parser["network_def#encoder#in_channels"]
    features = sum(parser.get_parsed_content("feature_counts").values())
    image = torch.randn(scans, channels, *roi, generator=torch.Generator().manual_seed(0))
    return {
        **{name: image.clone() for name in ("image", "seen_image", "teacher_image")},
        "modalities": torch.ones(scans, channels),
        "regions": torch.full((scans, 3, *roi), 0.1),
        "brain": torch.ones(scans, 1, *roi),
        "features": torch.zeros(scans, features),
        "present": torch.ones(scans, features),
        "labelled": torch.arange(scans) % 2 == 0,
        "index": torch.arange(scans),
        "patient": torch.arange(scans) // 2,
    }


def forward(parser: ConfigParser, device: torch.device, scans: int) -> tuple[Mapping[str, Tensor], Tensor, Any]:
    """As MONAI's trainer does it: the network's output, the loss, and the batch that both were computed from."""
    image, target, *rest = parser.get_parsed_content("train#trainer#prepare_batch")(a_batch(parser, scans), device)
    args, kwargs = rest or ((), {})
    network, loss = parser.get_parsed_content("network").train(), parser.get_parsed_content("loss_function").train()
    output = parser.get_parsed_content("train#inferer")(image, network, *args, **kwargs)
    return output, loss(output, target), (image, target)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_and_a_validation_stay_on_the_gpu(recipe: str) -> None:
    parser = parser_of(recipe, device="$torch.device('cuda', 0)", amp=True)
    with fake_gpu():
        output, total, (image, target) = forward(parser, GPU, scans=4)
        network, loss = parser.get_parsed_content("network"), parser.get_parsed_content("loss_function")
        seen = parser.get_parsed_content("inferer")(image, network.eval())
        validation = loss.eval()(seen, target)
    held = [total, validation, *output.values(), *seen.values(), *network.state_dict().values()]
    assert {value.device for value in [*held, *loss.state_dict().values()]} == {GPU}
    assert output["tumour_logits"].dtype == torch.bfloat16


@pytest.mark.parametrize("recipe", ["train", "auxiliary_decoder", "uncertainty_weights"])
def test_clipping_makes_a_gpu_wait_once_and_the_optimizer_moves_the_objective_s_parameters_too(recipe: str) -> None:
    parser = parser_of(recipe, device="$torch.device('cuda', 0)", amp=True)
    (clip,) = (i for i, one in enumerate(parser["train#handlers"]) if one["_target_"].endswith("ClipGradient"))
    with fake_gpu() as questions:
        modules = nn.ModuleList([parser.get_parsed_content("network"), parser.get_parsed_content("loss_function")])
        for parameter in modules.parameters():
            parameter.grad = torch.empty_like(parameter)
        state = SimpleNamespace(metrics={}, epoch=1, iteration=1)
        parser.get_parsed_content(f"train#handlers#{clip}")(SimpleNamespace(state=state))
        optimizer = parser.get_parsed_content("optimizer")
        optimizer.step()
    assert questions.asked == ["number"]
    moved = {value.device for one in modules.parameters() for value in optimizer.state[one].values() if value.ndim}
    assert (len(optimizer.state), moved) == (len([*modules.parameters()]), {GPU})


@pytest.mark.parametrize(("recipe", "asked"), [("train", 1), ("independence_hsic", 2), ("independence_dip", 2)])
def test_forward_and_loss_make_a_gpu_wait_once_for_who_is_labelled_and_for_each_memory(recipe: str, asked: int) -> None:
    parser = parser_of(recipe, device="$torch.device('cuda', 0)", amp=True)
    with fake_gpu() as questions:
        forward(parser, GPU, scans=4)
    assert questions.asked == ["rows"] * asked


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_parameter_gets_a_gradient_which_several_gpus_would_wait_for(recipe: str) -> None:
    parser = parser_of(recipe, device="$torch.device('cpu')", amp=False)
    _, total, _ = forward(parser, torch.device("cpu"), scans=4)
    total.backward()
    modules = nn.ModuleList([parser.get_parsed_content("network"), parser.get_parsed_content("loss_function")])
    trained = [(name, one) for name, one in modules.named_parameters() if one.requires_grad]
    assert [name for name, one in trained if one.grad is None] == []


@pytest.mark.parametrize("recipe", ["inference", *OVER_INFERENCE])
def test_inference_stays_on_the_gpu(recipe: str) -> None:
    files = ["inference.json", *([] if recipe == "inference" else [f"recipes/{recipe}.yaml"])]
    parser = ConfigParser(ConfigParser.load_config_files([str(CONFIGS / file) for file in files]))
    parser.update({**copy.deepcopy(TWO_STAGES), "device": "$torch.device('cuda', 0)", "amp": True})
    parser.get_parsed_content("network_def")
    with fake_gpu() as questions:
        network = parser.get_parsed_content("network").eval()
        packed = parser.get_parsed_content("inferer")(torch.zeros(1, 4, 32, 32, 32, device=GPU), network)
    assert (packed.device, packed.dtype, questions.asked) == (GPU, torch.float32, [])


def test_a_single_modality_is_encoded_by_the_network_itself_not_by_its_wrapper_for_several_gpus() -> None:
    files = ["train.json", "recipes/single_modality.yaml", "multi_gpu_train.json"]
    parser = ConfigParser(ConfigParser.load_config_files([str(CONFIGS / file) for file in files]))
    assert parser["training"][-1]["network"]["network"] == "@kept_network"
    assert parser["kept_network"] == "@network_def"


def test_pictures_of_reconstructions_are_drawn_from_a_gpu() -> None:
    with fake_gpu():
        image, brain = torch.rand(4, 8, 10, 6, device=GPU), torch.ones(8, 10, 6, dtype=torch.bool, device=GPU)
        picture = side_by_side(image, image, brain)
    assert (picture.shape, picture.device.type) == ((1, 20, 32), "cpu")


def test_the_fake_gpu_tells_where_two_devices_meet_and_what_makes_it_wait() -> None:
    with fake_gpu() as questions:
        values = torch.zeros(3, device=GPU)
        with pytest.raises(FakeTensorDeviceMismatchError):
            values + torch.zeros(3)
        assert bool(values.sum() > 0)
        assert values[values > 0].shape == (3,)
        of_labelled(torch.ones(2, device=GPU) > 0, [torch.zeros(2, 4, device=GPU)])
        assert values.cpu().device.type == "cpu"
    assert questions.asked == ["number", "mask", "rows", "copy"]
