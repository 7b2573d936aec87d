"""The commands of `python -m semivae_bundle`; one test starts the module by itself, the others call it here."""

import inspect
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import semivae_bundle
from semivae_bundle.__main__ import COMMANDS, main, phantom
from semivae_bundle.bundle_run import bundle_root, check_options, config_files
from semivae_bundle.command_errors import expected_error
from semivae_bundle.data.phantom.cohort import generate_phantoms

ROOT = Path(__file__).parents[1]
# A network of a second: 32 voxels a side, two stages.
TINY = [
    "--roi_size=[32,32,32]",
    "--targets={'vol': ['vol_total'], 'loc': ['loc_x_total'], 'shape': ['sphericity_total']}",
    "--network_def#encoder#base_filters=8",
    "--network_def#encoder#blocks=[1,1]",
    "--network_def#encoder#pool_size=2",
    "--network_def#encoder#pool_channels=4",
    "--network_def#encoder#hidden_size=32",
    "--network_def#decoder#channels=[16,8]",
    "--amp=false",
    "--workers=1",
    "--loader_workers=0",
    "--progress=false",
]
# Every split gets three labelled subjects of the eight phantoms or fewer; an R² needs three.
TRAINING = [
    "--residualise={}",
    "--residualise_degree=1",
    "--split_fractions={'train': 0.5, 'validation': 0.5}",
    "--epochs=2",
    "--batch_size=2",
]


@pytest.fixture(autouse=True)
def in_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(autouse=True)
def drop_closed_streams() -> None:
    """A run in an earlier test leaves log handlers on the streams that were captured for it and are closed by now."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for logger in loggers:
        for handler in list(logger.handlers):
            if getattr(getattr(handler, "stream", None), "closed", False):
                logger.removeHandler(handler)


def failure(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that the user can repair says, without a traceback."""
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_the_module_starts_by_itself_and_names_the_versions() -> None:
    command = [sys.executable, "-m", "semivae_bundle", "version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"semivae_bundle {semivae_bundle.__version__}\nmonai 1.6.1\ntorch ")


def test_phantom_writes_a_cohort(tmp_path: Path) -> None:
    arguments = ["phantom", str(tmp_path), "--n", "2", "--size", "32", "--spacing", "7.5", "--workers", "1"]
    main([*arguments, "--progress", "false"])
    assert len((tmp_path / "factors.csv").read_text().splitlines()) == 3


def test_the_defaults_of_phantom_are_those_of_the_function_behind_it() -> None:
    command, function = (inspect.signature(one).parameters for one in (phantom, generate_phantoms))
    assert list(command) == list(function)
    assert all(command[name].default == function[name].default for name in list(function)[2:])


def test_what_a_user_can_repair_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "phantoms: visits: expected at least 1" in failure(["phantom", str(tmp_path), "--visits", "0"], capsys)
    said = failure(["index", str(tmp_path / "none"), "--output_dir", str(tmp_path)], capsys)
    assert "semivae_bundle: dataset_dir: expected a folder of subjects" in said
    steps = {"evaluate": "evaluating", "detect": "detecting", "repeat": "repeating", "traverse": "traversing"}
    for command, run_id in steps.items():
        said = failure([command, str(tmp_path), "--output_dir", str(tmp_path)], capsys)
        assert f"{run_id}: " in said
        assert "no checkpoint; run training first" in said


def test_weights_without_their_recipe_are_refused_in_a_line(
    phantom_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure(["infer", str(phantom_dir), "--output_dir", str(tmp_path), *TINY], capsys)
    assert "model.pt: not the weights of this network: " in said
    assert "give the recipe and the options of its training" in said.splitlines()[-1]


def test_a_yes_or_no_option_must_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failure(["phantom", str(tmp_path), "--progress", "maybe"], capsys)
    assert "progress: expected true or false, found 'maybe'" in said


def test_a_misspelt_option_is_refused_with_the_nearest_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failure(["train", str(tmp_path), "--epoch", "3"], capsys)
    assert "found --epoch (did you mean --epochs" in said
    said = failure(["train", str(tmp_path), "--network_def#encodr#blocks", "[1]"], capsys)
    assert "--network_def#encodr#blocks" in said
    said = failure(["train", str(tmp_path), "--network_def#encoder#base_filter", "8"], capsys)
    assert "found --network_def#encoder#base_filter (did you mean --network_def#encoder#base_filters" in said


def test_an_argument_left_at_its_default_and_a_name_of_a_mapping_may_be_given() -> None:
    files = [str(Path("configs") / "train.json")]
    check_options(
        {"network_def#encoder#refinement": None, "loss#weights#mmd": 1.0, "optimizer::betas": [0.9, 0.99]}, files
    )
    with pytest.raises(ValueError, match=r"found --optimizer::beta \(did you mean --optimizer#betas"):
        check_options({"optimizer::beta": [0.9, 0.99]}, files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["phantom", "DIR", "--n", "abc"], "phantoms: n: expected a whole number, found 'abc'"),
        (["phantom", "DIR", "--n", "2.5"], "phantoms: n: expected a whole number, found 2.5"),
        (["phantom", "DIR", "--n"], "phantoms: n: expected a whole number, found no value"),
        (["phantom", "DIR", "--size", "abc"], "phantoms: size: expected a whole number, found 'abc'"),
        (["phantom", "DIR", "--seed", "1.5"], "phantoms: seed: expected a whole number, found 1.5"),
        (["phantom", "DIR", "--visits", "two"], "phantoms: visits: expected a whole number, found 'two'"),
        (["phantom", "DIR", "--spacing", "abc"], "phantoms: spacing: expected a number, found 'abc'"),
        (["phantom", "DIR", "--unlabelled", "half"], "phantoms: unlabelled: expected a number, found 'half'"),
        (["phantom", "--output_dir"], "--output_dir: expected a folder or file, found no value"),
        (["growth", "DIR", "--output_dir"], "--output_dir: expected a folder or file, found no value"),
        (["growth", "DIR", "--log_rate", "[a,b]"], "log_rate: expected a mean and a standard deviation above 0"),
        (["compare", "DIR", "DIR", "--output_dir"], "--output_dir: expected a folder or file, found no value"),
        (["index", "DIR", "--output_dir"], "--output_dir: expected a folder or file, found no value"),
        (["index", "DIR", "--recipe"], "recipe: expected a name such as ema, or several as [ema,small], found True"),
        (["index", "DIR", "--recipe", "3"], "recipe: expected a name such as ema, or several as [ema,small], found 3"),
        (["index", "DIR", "--run_id", "x"], "found --run_id"),
        (["index", "DIR", "--configs", "x"], "found --configs"),
        (["schedules", "--epochs", "abc"], "--epochs: expected a number, found 'abc'"),
        (["train", "DIR", "--epochs"], "--epochs: expected a number, found no value"),
        (["train", "DIR", "--roi_size", "60"], "--roi_size: expected a list such as [64, 64, 64], found 60"),
        (["train", "DIR", "--fov_mm", "[a,b,c]"], "--fov_mm: expected a list of numbers such as [240.0, 240.0, 240.0]"),
        (["calibrate", "DIR", "--difficulty", "1"], "--difficulty: expected names with values, as {vol: ..., loc: "),
        (["traverse", "DIR", "--traversal_features", "vol_ed"], "found 'vol_ed'; write [vol_ed]"),
        (["evaluate", "DIR", "--batch_size", "0"], "evaluating: batch_size: expected a whole number >= 1, found 0"),
        (["evaluate", "DIR", "--batch_size", "abc"], "--batch_size: expected a number, found 'abc'"),
        (["calibrate", "DIR", "--batch_size", "-1"], "calibrating: batch_size: expected a whole number >= 1, found -1"),
        (["calibrate", "DIR", "--loader_workers", "-1"], "loader_workers: expected a whole number >= 0, found -1"),
        (["infer", "DIR", "--dataloader#batch_size", "2.5"], "batch_size: expected a whole number >= 1, found 2.5"),
        (["index", "DIR", "--manifest"], "--manifest: expected a folder or file, found no value"),
        (["infer", "DIR", "--checkpoint"], "--checkpoint: expected a folder or file, found no value"),
        (["infer", "DIR", "--recipe", "[tiny,ema]"], "recipe ema: changes validate#evaluator#network, and inference."),
        (["train", "DIR", "--recipe", "attention_maps"], "recipe attention_maps: changes inference_run#attention, and"),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_line_that_names_its_option(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure([str(tmp_path) if one == "DIR" else one for one in arguments], capsys)
    assert message in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_bundle_of_somebody_else_in_the_working_directory_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.json").write_text('{"network_def": {"_target_": "UNet"}}')
    monkeypatch.chdir(tmp_path)
    assert bundle_root() == ROOT


def test_growth_takes_a_yes_or_no_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failure(["growth", str(tmp_path), "--keep_novel", "perhaps"], capsys)
    assert "keep_novel: expected true or false, found 'perhaps'" in said
    assert "found no latents.csv" in failure(["growth", str(tmp_path), "--keep_novel", "false"], capsys)


def test_what_the_system_refuses_is_a_line_with_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    said = failure(["phantom", str(tmp_path / "file"), "--n", "1", "--size", "32", "--spacing", "7.5"], capsys)
    assert str(tmp_path / "file") in said


def test_an_unknown_recipe_is_refused_with_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failure(["train", str(tmp_path), "--recipe", "xyz"], capsys)
    assert "there are activation_checkpointing, " in said
    assert " demo, ema, " in said
    assert "did you mean ema" in failure(["train", str(tmp_path), "--recipe", "emma"], capsys)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_a_command_says_what_it_takes(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command, words in (("train", "goes on where an earlier run stopped"), ("infer", "--output_dir")):
        with pytest.raises(SystemExit) as leaving:
            main([command, "--epochs", "3", flag])
        assert leaving.value.code == 0
        assert words in "".join(capsys.readouterr())


def test_an_interruption_is_a_line_and_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "version", interrupted)
    with pytest.raises(SystemExit) as leaving:
        main(["version"])
    assert leaving.value.code == 130
    assert "interrupted; the same command goes on" in capsys.readouterr().err


def test_an_error_of_the_program_keeps_its_traceback() -> None:
    assert expected_error(ValueError("raised outside of the package")) is None


def test_index_train_calibrate_evaluate_and_infer_from_any_folder(
    phantom_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    outputs = ["--output_dir", str(tmp_path / "2021")]
    main(["index", str(phantom_dir), *outputs, *TINY, TRAINING[2]])
    assert (tmp_path / "2021" / "cohort.json").is_file()
    main(["precompute", str(phantom_dir), *outputs, *TINY, *TRAINING])
    main(["train", str(phantom_dir), *outputs, "--recipe", "ema", *TINY, *TRAINING])
    checkpoint = tmp_path / "2021" / "checkpoints" / "model.pt"
    assert checkpoint.is_file()
    said = capsys.readouterr().out
    assert f"{tmp_path}/2021/normalizer.json and the cache; next: training" in said
    assert f"written: {checkpoint} is the best network" in said
    evaluation = ["--evaluate_split", "validation", "--recipe", "ema", "--intervals#resamples", "20"]
    calibration = ["--calibration_level", "0.5", "--recipe", "ema"]
    main(["calibrate", str(phantom_dir), *outputs, *calibration, *TINY, *TRAINING])
    main(["evaluate", str(phantom_dir), *outputs, *evaluation, *TINY, *TRAINING])
    metrics = json.loads((tmp_path / "2021" / "evaluation" / "metrics.json").read_text())
    assert metrics["subjects"]["labelled"] == 3
    assert metrics["coverage"]["independent"] is False
    weights = ["--checkpoint", str(checkpoint), "--normalizer_file", str(tmp_path / "2021" / "normalizer.json")]
    main(["infer", str(phantom_dir), "--output_dir", str(tmp_path / "inference"), *weights, *TINY])
    assert len((tmp_path / "inference" / "latents.csv").read_text().splitlines()) == 9


def test_recipes_of_ones_own_stand_in_a_list_beside_others(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("epochs: 3\n")
    # So the command line hands it over: the dot keeps it from being read as a list.
    files = config_files(ROOT, ["train.json"], f"[demo, {own}]")
    assert files[1:] == [str(ROOT / "configs" / "recipes" / "demo.yaml"), str(own)]
    assert config_files(ROOT, ["train.json"], str(own))[1:] == [str(own)]
