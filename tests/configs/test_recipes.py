"""The overlays: what each changes, that it meets what it means to change, and that nothing in it is misspelt."""

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from monai.bundle import ConfigParser, run
from monai.networks.nets.resnet import ResNetFeatures
from tiny_networks import THREE_STAGES, TWO_STAGES
from torch import Tensor

from semivae_bundle.networks.heads import MLPHeads
from semivae_bundle.training.settings import differing
from semivae_bundle.training.weights_record import options_of

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
TRAIN, EVALUATE, INFERENCE = CONFIGS / "train.json", CONFIGS / "evaluate.json", CONFIGS / "inference.json"
MULTI_GPU, FINE_TUNE = CONFIGS / "multi_gpu_train.json", CONFIGS / "recipes" / "fine_tune.yaml"
RECIPES = sorted((CONFIGS / "recipes").glob("*.yaml"))
# What an overlay is laid over, where that is not train.json.
BASES = {"attention_maps": (INFERENCE,), "another_scanner": (TRAIN, EVALUATE)}
# What an overlay adds instead of changing.
NEW = {
    "federated": {"calibration"},
    "fine_tune": {"initial_weights"},
    "ema": {"ema", "ema_share", "ema_network", "checkpointed#ema_network", "settings#ema_share"},
    "mean_teacher": {"ema", "ema_share", "ema_network", "checkpointed#ema_network", "settings#ema_share", "two_views"}
    | {"loss#extra#consistency", "loss#weights#consistency", "schedules#consistency", "settings#unlabelled_scans"},
    "semi_supervised": {"labelled_fraction", "settings#labelled_fraction", "settings#labelled_batches"},
    "label_fraction": {"label_fraction", "kept_labels", "kept_names"},
    "label_fraction_only": {"labelled_splits"},
    "longitudinal_pairs": {"train#trainer#prepare_batch#more"}
    | {"loss#extra#visits", "loss#weights#visits", "schedules#visits", "settings#paired_batches"},
    "multi_gpu_train": {"local_rank", "initialize", "finalize"}
    | {f"{part}#{name}sampler" for part in ("train", "validate") for name in ("", "dataloader#")},
}
EXTRA_TERMS = {
    "independence_covariance": "covariance",
    "independence_dip": "dip",
    "independence_dip_two": "dip",
    "independence_distance": "distance",
    "independence_hsic": "hsic",
    "aggregate_density": "density",
    "aggregate_discrepancy": "discrepancy",
}
# Of the images, or of the heads: tested by themselves below.
OTHER_TERMS = {"similarity": "similarity", "feature_distance": "perception", "cycle_consistency": "cycle"}
NEW |= {
    recipe: {f"loss#extra#{term}", f"loss#weights#{term}", f"schedules#{term}"}
    for recipe, term in (EXTRA_TERMS | OTHER_TERMS).items()
}
NEW["total_correlation"] = {f"{part}#correlation" for part in ("loss#extra", "loss#weights", "schedules")}
NEW["feature_distance"] |= {"feature_weights", "feature_sha256", "feature_network"}
MORE_HANDLERS = {"+train#handlers"}
NEW |= {
    "another_scanner": {"rescanned#variety"},
    "auxiliary_decoder": {"loss#extra#coarse", "loss#weights#coarse"} | MORE_HANDLERS,
    "capacity": {"loss#extra#capacity", "loss#weights#capacity", "capacity_schedules", "settings#capacity"}
    | MORE_HANDLERS,
    "collapse": {"loss#extra#squared", "loss#weights#squared", "schedules#tumour_ce", "schedules#tumour_dice"},
    "curriculum": {"schedules#semantic_loc", "schedules#semantic_shape", "checks#_requires_"},
    "gradient_norms": MORE_HANDLERS,
    "heteroscedastic_heads": {"feature_sigma", "network_def#extra", "+loss"},
    "mlflow": {"mlflow_uri", "mlflow_experiment"} | MORE_HANDLERS,
    "reconstruction_images": {"validate#evaluator#val_handlers"},
    "lagging_inference": {"lagging", "checkpointed#lagging", "settings#lagging"}
    | {"validate#additional_metrics#info/residual"}
    | MORE_HANDLERS,
    "hierarchy": {"network_def#prior"},
    "hierarchy_inference": {
        "network_def#prior",
        "counterfactual",
        "counterfactual_seed",
        "counterfactual_volume_factor",
        "counterfactual_noise",
    },
    "synthesised_contrast": {"variety", "train#dataset#variety", "settings#variety"},
    "uncertainty_weights": {"loss#extra#noise", "loss#weights#noise", "schedules#noise"} | MORE_HANDLERS,
    "modality_dropout": {"dropped_share", "subsets"},
}
for experts in ("product_of_experts", "mixture_of_experts"):
    NEW[experts] = {"network_def#posterior#evaluated", "network_def#posterior#trained"}
READOUTS = {
    "partition_attention": {"attended_vol", "attended_loc", "attended_shape", "attended_residual"},
    "coordinate_pooling": {"coordinates"},
    "multi_scale_shape": {"outline"},
}
NEW |= {recipe: {f"network_def#encoder#readouts#{name}" for name in names} for recipe, names in READOUTS.items()}
NEW["partition_attention"] |= {"attention_stage"}
NEW["attention_maps"] = {"attention", "inference_run#attention", "+handlers", "+postprocessing_steps"}
NEW["coordinate_pooling"] |= {"coordinate_stage"}
NEW["multi_scale_shape"] |= {"shape_stages"}
OF_SUBSETS = ("presence_planes", "product_of_experts", "mixture_of_experts")
NEW |= {
    "modality_stem": {"network_def#encoder#stem"},
    "modality_decoders": {"+loss"},
    "single_modality": {"modality", "preprocessing#modality", "encoded", "+training"},
}
EXTRACTOR = {"extractor_weights", "extractor_sha256", "extractor_url", "allow_download", "extractor_file"}
EXTRACTOR |= {"extractor_network", "extractor", "network_def#encoder#readouts#learned"}
NAMING = {"extractor_prefix", "extractor_rename", "extractor_leave_out"}
NEW |= {
    "learned_residual": EXTRACTOR | NAMING,
    "learned_residual_swin": EXTRACTOR | NAMING,
    "learned_residual_dinov2": EXTRACTOR,
}
# Recipes that change the network have to fit inference.json as well.
OF_MODALITIES = ("modality_decoders", "modality_stem")
OF_THE_NETWORK = (
    *("demo", "tiny", "small", "large", "roi_128"),
    *("mlp_heads", "grouped_heads", "invertible_heads", "heteroscedastic_heads"),
    "coarse_segmentation",
    *OF_MODALITIES,
    *OF_SUBSETS,
    *READOUTS,
)
SMALL = {
    **TWO_STAGES,
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.5, "validation": 0.5},
    "amp": False,
    "workers": 1,
    "loader_workers": 0,
    "progress": False,
    "epochs": 2,
    "batch_size": 2,
}


def overlaid(*files: Path) -> ConfigParser:
    return ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))


@pytest.mark.parametrize("overlay", [*RECIPES, MULTI_GPU], ids=lambda path: path.stem)
def test_every_id_of_an_overlay_meets_one_of_the_config_below_it(overlay: Path) -> None:
    files = BASES.get(overlay.stem, (TRAIN,))
    base = overlaid(*files)
    ids = set(ConfigParser.load_config_file(str(overlay))) - {"_desc_"}
    assert {name for name in ids if name not in base} == NEW.get(overlay.stem, set())
    assert overlaid(*files, overlay)["_desc_"] != base["_desc_"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_numbers_are_numbers_and_no_key_stands_twice(recipe: Path) -> None:
    # YAML reads 1e-3 as text and takes the last of two equal keys in silence.
    node = yaml.compose(recipe.read_text())
    names = [key.value for key, _ in node.value]
    assert len(names) == len(set(names))
    for name, value in yaml.safe_load(recipe.read_text()).items():
        assert not (isinstance(value, str) and value[:1].isdigit()), name


@pytest.mark.parametrize("name", OF_THE_NETWORK)
def test_a_trained_network_fits_the_inference_config_under_the_same_recipe(name: str) -> None:
    recipe = CONFIGS / "recipes" / f"{name}.yaml"
    trained, packed = (overlaid(base, recipe).get_parsed_content("network_def") for base in (TRAIN, INFERENCE))
    packed.load_state_dict(trained.state_dict())
    assert differing(options_of(trained), options_of(packed)) == {}


def means_of(wrong: bool, term: str) -> Tensor:
    """Means of 300 subjects: what `term` has nothing against, or what it is there to find."""
    noise = torch.randn(300, 128, generator=torch.Generator().manual_seed(0))
    if term in ("density", "discrepancy"):
        return noise * (3 if wrong else 1)
    means = torch.zeros(300, 128)
    means[:, [0, 60, 61]] = 2 * noise[:, [0, 60, 61]]
    if wrong:
        means[:, 60] = means[:, 61] = means[:, 0]
    return means


@pytest.mark.parametrize(("recipe", "term"), EXTRA_TERMS.items())
def test_an_extra_term_joins_the_objective_with_its_weight_and_schedule(recipe: str, term: str) -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / f"{recipe}.yaml")
    loss, schedule = parser.get_parsed_content("loss"), parser.get_parsed_content("schedules")[term]
    assert list(loss.extra) == [term]
    cost = []
    for wrong in (False, True):
        means = means_of(wrong, term)
        output = {"mean": means, "latent": means + torch.randn_like(means), "log_var": torch.zeros_like(means)}
        cost.append(loss.weights[term] * loss.extra[term](output, {"index": torch.arange(300)}))
    assert cost[1] > cost[0] + 0.3
    assert schedule(0) == 0
    assert schedule(parser.get_parsed_content("epochs")) == 1
    assert parser.get_parsed_content("checks") is None


def test_extra_terms_are_laid_over_each_other(tmp_path: Path) -> None:
    terms = EXTRA_TERMS | OTHER_TERMS
    files = [TRAIN, *(CONFIGS / "recipes" / f"{recipe}.yaml" for recipe in ("ema", *terms))]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser["feature_network"] = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 3}
    torch.save(torch.nn.Conv3d(1, 2, 3).state_dict(), tmp_path / "features.pt")
    parser["feature_weights"] = str(tmp_path / "features.pt")
    assert set(parser.get_parsed_content("loss").extra) == set(terms.values())
    assert parser.get_parsed_content("checks") is None


@pytest.mark.parametrize("recipe", ["similarity", "feature_distance"])
def test_a_term_of_the_image_costs_a_wrong_one_and_nothing_for_the_right_one(recipe: str, tmp_path: Path) -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / f"{recipe}.yaml")
    if recipe == "feature_distance":
        network = ResNetFeatures("resnet10", pretrained=False, in_channels=1)
        torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, tmp_path / "features.pt")
        parser["feature_weights"] = str(tmp_path / "features.pt")
    (term,) = parser.get_parsed_content("loss").extra.values()
    image = torch.randn(1, 4, 64, 64, 64, generator=torch.Generator().manual_seed(0))
    target = {"image": image, "brain": torch.ones(1, 1, 64, 64, 64)}
    right, wrong = (float(term({"reconstruction": drawn}, target)) for drawn in (image, -image))
    assert right == pytest.approx(0, abs=1e-2)
    assert wrong > 10


def test_total_correlation_counts_copies_within_the_residual_and_knows_the_cohort_s_size(
    phantom_dir: Path, tmp_path: Path
) -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / "total_correlation.yaml")
    parser.update({**copy.deepcopy(SMALL), "dataset_dir": str(phantom_dir), "output_dir": str(tmp_path)})
    term = parser.get_parsed_content("loss").extra["correlation"]
    assert term.dataset_size == 4
    term.dataset_size = 300
    torch.manual_seed(0)
    cost = []
    for wrong in (False, True):
        means = means_of(wrong, "correlation")
        log_var = torch.full_like(means, -1.0)
        output = {"mean": means, "latent": means + torch.randn_like(means) * (0.5 * log_var).exp(), "log_var": log_var}
        cost.append(float(term(output, {})))
    assert abs(cost[0]) < 0.3
    assert cost[1] > cost[0] + 0.3


def test_feature_distance_asks_for_its_weights() -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / "feature_distance.yaml")
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("loss")
    assert "nothing is downloaded" in str(caught.value.__cause__)


def test_cycle_consistency_looks_at_the_heads_that_are_trained() -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / "cycle_consistency.yaml")
    network, term = parser.get_parsed_content("network"), parser.get_parsed_content("loss").extra["cycle"]
    assert term._heads[0] is network.heads


def test_fine_tuning_starts_the_network_that_is_trained_from_the_given_weights(tmp_path: Path) -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / "fine_tune.yaml")
    parser.update({**TWO_STAGES, "initial_weights": str(tmp_path / "model.pt"), "device": "$torch.device('cpu')"})
    given = parser.get_parsed_content("network_def").state_dict()
    torch.save({name: torch.full_like(value, 0.5) for name, value in given.items()}, tmp_path / "model.pt")
    parser.parse(True)
    network = parser.get_parsed_content("network")
    assert network is parser.get_parsed_content("network_def")
    assert all(bool((value == 0.5).all()) for value in network.state_dict().values())
    assert [schedule(0.0) for schedule in parser.get_parsed_content("schedules").values()] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("files", [(FINE_TUNE, MULTI_GPU), (MULTI_GPU, FINE_TUNE)], ids=["last", "first"])
def test_fine_tuning_on_several_gpus_starts_from_the_weights_too(files: tuple[Path, ...]) -> None:
    parser = overlaid(TRAIN, *files)
    assert parser["network#module#network"] == "@lean_network"
    assert parser["lean_network"] == "@initial_network"
    assert parser["initial_network#_target_"].endswith("started_from")


def test_the_weights_that_ship_fit_the_network_that_is_fine_tuned() -> None:
    overlaid(TRAIN, CONFIGS / "recipes" / "fine_tune.yaml").get_parsed_content("network")


def test_shipped_weights_are_evaluated_on_every_scan_by_the_normalizer_that_came_with_them(
    phantom_dir: Path, tmp_path: Path
) -> None:
    small = {**copy.deepcopy(SMALL), "dataset_dir": str(phantom_dir), "device": "$torch.device('cpu')"}
    trained = ConfigParser(ConfigParser.load_config_file(str(TRAIN)))
    trained.update({**small, "output_dir": str(tmp_path / "a")})
    normalizer = trained.get_parsed_content("normalizer")
    torch.save(trained.get_parsed_content("network_def").state_dict(), tmp_path / "a" / "model.pt")
    files = [TRAIN, CONFIGS / "recipes" / "shipped.yaml", CONFIGS / "evaluate.json"]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser.update({name: value for name, value in small.items() if name != "split_fractions"})
    parser.update({"output_dir": str(tmp_path / "b"), "checkpoint_dir": str(tmp_path / "a")})
    parser["normalizer_file"] = str(tmp_path / "a" / "normalizer.json")
    for step in range(3):  # up to the question whether there are subjects
        parser.get_parsed_content(f"evaluating#{step}")
    assert parser.get_parsed_content("normalizer").features_sha256 == normalizer.features_sha256
    assert len(parser.get_parsed_content("validate#dataset")) == len(parser.get_parsed_content("cohort").subjects)


def test_a_folder_of_shipped_weights_may_be_indexed_for_other_scans(phantom_dir: Path, tmp_path: Path) -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / "shipped.yaml")
    parser.update({"output_dir": str(tmp_path), "workers": 1, "progress": False})
    for folder in (phantom_dir, Path(shutil.copytree(phantom_dir, tmp_path / "other"))):
        parser["dataset_dir"] = str(folder)
        parser.parse()
        assert parser.get_parsed_content("index").dataset_dir == folder.resolve()


def test_mlp_heads_replace_the_structured_ones() -> None:
    heads = overlaid(TRAIN, CONFIGS / "recipes" / "mlp_heads.yaml").get_parsed_content("network_def").heads
    assert isinstance(heads, MLPHeads)
    assert heads(torch.zeros(2, 128)).shape == (2, 13)


def test_roi_128_keeps_the_weights_and_refines_the_grid() -> None:
    fine = overlaid(TRAIN, CONFIGS / "recipes" / "roi_128.yaml")
    coarse = ConfigParser(ConfigParser.load_config_file(str(TRAIN))).get_parsed_content("network_def")
    assert [mm / side for mm, side in zip(fine["fov_mm"], fine["roi_size"], strict=True)] == [1.875] * 3
    coarse.load_state_dict(fine.get_parsed_content("network_def").state_dict())


def test_the_demo_network_is_small_and_runs() -> None:
    network = overlaid(TRAIN, CONFIGS / "recipes" / "demo.yaml").get_parsed_content("network_def").eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 4_000_000
    with torch.no_grad():
        assert network(torch.zeros(1, 4, 48, 48, 48))["reconstruction"].shape == (1, 4, 48, 48, 48)


def test_ema_averages_and_the_average_is_what_is_kept_and_validated(phantom_dir: Path, tmp_path: Path) -> None:
    parser = overlaid(TRAIN, CONFIGS / "recipes" / "ema.yaml")
    parser.update({"dataset_dir": str(phantom_dir), "output_dir": str(tmp_path), **copy.deepcopy(SMALL)})
    parser["device"] = "$torch.device('cpu')"
    trainer = parser.get_parsed_content("train#trainer")
    trainer.run()
    average, trained = parser.get_parsed_content("ema_network"), parser.get_parsed_content("network")
    assert parser.get_parsed_content("validate#evaluator").network is average
    moved = [not torch.equal(a, b) for a, b in zip(average.parameters(), trained.parameters(), strict=True)]
    assert sum(moved) > len(moved) / 2
    last = torch.load(tmp_path / "checkpoints" / "last.pt", weights_only=True)
    name = "posterior.parts.0.mean.weight"
    torch.testing.assert_close(last["ema_network"][name], average.state_dict()[name])
    best = torch.load(tmp_path / "checkpoints" / "model.pt", weights_only=True)
    assert best.keys() == trained.state_dict().keys()


@pytest.mark.parametrize("recipe", ["ema", "mean_teacher"])
@pytest.mark.parametrize("last", [False, True])
def test_on_several_gpus_the_average_is_moved_kept_and_validated_in_either_order(recipe: str, last: bool) -> None:
    files = [CONFIGS / "recipes" / f"{recipe}.yaml", MULTI_GPU]
    parser = overlaid(TRAIN, *(reversed(files) if last else files))
    assert parser["validate#evaluator#network"] == parser["kept_network"] == "@ema_network"
    assert parser["train#trainer#train_handlers"] == "$[@ema, *@train#handlers]"
    assert parser["checkpointed#network"] == "@network_def"
    assert parser["network#_target_"].endswith("DistributedDataParallel")


def test_what_is_checkpointed_is_the_network_that_is_trained(tmp_path: Path) -> None:
    parser = overlaid(
        TRAIN, *(CONFIGS / "recipes" / f"{name}.yaml" for name in ("fine_tune", "activation_checkpointing"))
    )
    parser.update({**copy.deepcopy(TWO_STAGES), "initial_weights": str(tmp_path / "model.pt")})
    torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "model.pt")
    parser.parse(True)
    network = parser.get_parsed_content("network")
    assert network is parser.get_parsed_content("kept_network")
    assert parser["checkpointed#network"] == parser["kept_network"] == "@network_def"


def test_handlers_of_the_first_process_are_left_out_where_a_recipe_joins_the_list(tmp_path: Path) -> None:
    # None in the list would stop the engine.
    parser = overlaid(TRAIN)
    parser.update(
        {"is_follower": True, "some": [{"_target_": "monai.handlers.StatsHandler", "_disabled_": "@is_follower"}, 1]}
    )
    assert parser.get_parsed_content("some") == [1]
    parser["more"] = "$[0, *@some]"
    assert parser.get_parsed_content("more") == [0, 1]


def test_evaluation_looks_at_the_loaded_weights_even_with_the_ema_recipe_before_it() -> None:
    files = [TRAIN, CONFIGS / "recipes" / "ema.yaml", CONFIGS / "evaluate.json"]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    assert parser["validate#evaluator#network"] == parser["validate#handlers#0#load_dict#network"] == "@network"


@pytest.mark.parametrize("follower", [False, True])
def test_only_the_first_process_logs(follower: bool, tmp_path: Path) -> None:
    train = ConfigParser(ConfigParser.load_config_file(str(TRAIN)))
    train.update({"is_follower": follower, "output_dir": str(tmp_path)})
    logging = [i for i, one in enumerate(train["train#handlers"]) if one.get("_disabled_") == "@is_follower"]
    assert len(logging) == 3
    assert [train.get_parsed_content(f"train#handlers#{i}") is None for i in logging] == [follower] * 3
    assert overlaid(TRAIN, MULTI_GPU)["is_follower"] == "$torch.distributed.get_rank() > 0"


def test_what_the_checkpoint_keeps_of_early_stopping_is_the_handler_that_stops() -> None:
    train = ConfigParser(ConfigParser.load_config_file(str(TRAIN)))
    index = int(train["checkpointed#early_stop"].rpartition("#")[2])
    assert train["train#handlers"][index]["_target_"].endswith("StopEarly")


def test_what_a_resumed_training_is_compared_by_of_the_clipping_is_what_clips() -> None:
    train = ConfigParser(ConfigParser.load_config_file(str(TRAIN)))
    index = int(train["settings#max_norm"].split("#")[2])
    assert train["train#handlers"][index]["_target_"].endswith("ClipGradient")
    assert train.get_parsed_content("settings#max_norm") == 10000.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for two GPUs where there is one")
def test_two_processes_train_one_network(phantom_dir: Path, tmp_path: Path) -> None:
    files = f"['{TRAIN}','{MULTI_GPU}']"
    options = {"dataset_dir": str(phantom_dir), "output_dir": str(tmp_path), **SMALL}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "monai.bundle", "run", "training", "--config_file", files]
    command += [f"--{name}={value}" for name, value in options.items()]
    one_process = [sys.executable, "-m", "monai.bundle", "run", "precompute", "--config_file", str(TRAIN)]
    one_process += [f"--{name}={value}" for name, value in options.items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for step in (one_process, command):
        done = subprocess.run(step, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-2000:]
    last = torch.load(tmp_path / "checkpoints" / "last.pt", weights_only=True)
    assert last["epoch"] == 2
    # Four training subjects, two per step and process: one step an epoch.
    assert {int(state["step"]) for state in last["optimizer"]["state"].values()} == {2}
    assert last["lr_scheduler"] == {"epochs": 2}
    assert not any(name.startswith("module.") for name in last["network"])
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert len(rows) == len({row.rpartition(",")[0] for row in rows})
    # One process goes on, in steps of its own: two an epoch.
    alone = {**copy.deepcopy(options), "epochs": 3, "device": "$torch.device('cpu')"}
    run(run_id="training", config_file=str(TRAIN), **alone)
    last = torch.load(tmp_path / "checkpoints" / "last.pt", weights_only=True)
    assert (last["epoch"], last["lr_scheduler"]) == (3, {"epochs": 3})
    assert {int(state["step"]) for state in last["optimizer"]["state"].values()} == {4}


@pytest.mark.parametrize(
    "other", ["hierarchy", "modality_decoders", "product_of_experts", "mixture_of_experts", "fine_tune"]
)
def test_activation_checkpointing_goes_with_every_network(other: str, tmp_path: Path) -> None:
    recipes = ["modality_dropout", other] if "experts" in other else [other]
    files = [CONFIGS / "recipes" / f"{name}.yaml" for name in ("activation_checkpointing", *recipes)]
    for order in (files, [*files[1:], files[0]]):
        parser = overlaid(TRAIN, *order)
        parser.update(
            {
                **copy.deepcopy(TWO_STAGES),
                "initial_weights": str(tmp_path / "model.pt"),
                "device": "$torch.device('cpu')",
            }
        )
        torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "model.pt")
        parser.parse(True)
        network = parser.get_parsed_content("network")
        again = [name for name, module in network.named_modules() if hasattr(module, "checkpoint_fn")]
        assert {name.partition(".")[0] for name in again} == {"encoder", "decoder"}


def test_activation_checkpointing_reaches_the_blocks_of_the_pyramid_of_the_shape() -> None:
    recipes = (CONFIGS / "recipes" / f"{name}.yaml" for name in ("multi_scale_shape", "activation_checkpointing"))
    parser = overlaid(TRAIN, *recipes)
    parser.update({**copy.deepcopy(THREE_STAGES), "device": "$torch.device('cpu')"})
    outline = parser.get_parsed_content("network").encoder.readouts["outline"]
    assert [hasattr(block, "checkpoint_fn") for block in outline.smooth] == [True, True]
