"""One tiny model per modality by one command, and what is written of all four."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from monai.bundle import run
from tiny_networks import TWO_STAGES

from semivae_bundle.__main__ import main
from semivae_bundle.command_errors import first_cause
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation import per_modality

ROOT = Path(__file__).parents[2]
TINY: dict[str, Any] = {
    **TWO_STAGES,
    "network_def#decoder#atlas#side": 8,
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.5, "validation": 0.5},
    "device": "cpu",
    "amp": False,
    "workers": 1,
    "loader_workers": 0,
    "progress": False,
    "epochs": 1,
    "semantic_start_epoch": 0.5,
    "batch_size": 4,
}
ARGUMENTS = [f"--{name}={value}" for name, value in TINY.items()]


def in_this_process(run_id: str, config_files: list[str], options: dict[str, Any], *where: Any) -> None:
    """`run_bundle` without the seconds that another process takes to start."""
    run(
        run_id=run_id,
        config_file=config_files,
        **{name: str(v) if isinstance(v, Path) else v for name, v in options.items()},
    )


@pytest.fixture(scope="module")
def begun(phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], Path, list[str]]]:
    """The command, its folder after one step of each model, and which trainings it began."""
    out, trained = tmp_path_factory.mktemp("modalities"), []

    def counted(run_id: str, config_files: list[str], options: dict[str, Any], *where: Any) -> None:
        trained.append(options["modality"])
        in_this_process(run_id, config_files, options)

    command = ["per_modality", str(phantom_dir), str(out), *ARGUMENTS]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(per_modality, "run_bundle", counted)
        patch.setattr(per_modality, "visible_devices", list)
        main(command)
        yield command, out, trained


def test_four_models_of_one_channel_are_trained(begun) -> None:
    _, out, trained = begun
    assert trained[:4] == list(MODALITIES)
    for modality in MODALITIES:
        weights = torch.load(out / modality / "checkpoints" / "model.pt", weights_only=True)
        assert weights["encoder.stem.0.weight"].shape[1] == 1
    assert len(list((out / "shared" / "cache").glob("*.npz"))) == 4 * 8


def test_all_latents_stand_in_one_table(begun) -> None:
    table = pd.read_csv(begun[1] / "fused" / "latents.csv")
    assert table.shape == (8, 5 + 4 * 128)
    assert {"t1c_vol_00", "t2w_residual_75"} < set(table)
    assert set(table["split"]) == {"train", "validation"}
    assert not table["t1c_residual_00"].equals(table["t2f_residual_00"])


def test_fused_features_and_their_r2_are_written(begun) -> None:
    features = pd.read_csv(begun[1] / "fused" / "features.csv")
    assert list(features)[5:] == ["vol_total_mm3", "loc_x_total_mm", "sphericity_total"]
    content = json.loads((begun[1] / "fused" / "fusion.json").read_text())
    assert set(content["r2"]["validation"]["vol_total"]) == {*MODALITIES, "fused"}
    assert content["r2"]["validation"]["vol_total"]["fused"] <= 1
    assert content["r2"]["test"]["vol_total"]["fused"] is None
    assert sum(content["weights"]["loc_x_total"].values()) == pytest.approx(1)


def test_only_what_is_missing_is_trained_again(begun, capsys: pytest.CaptureFixture[str]) -> None:
    command, out, trained = begun
    (out / "t2f" / "encoded.csv").unlink()
    before = (out / "fused" / "latents.csv").read_text()
    del trained[:]
    main([*command, "--progress=true"])
    assert trained == ["t2f"]
    assert "3 models trained before, to train: t2f" in capsys.readouterr().out
    assert (out / "fused" / "latents.csv").read_text() == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--epochs=2", "t1c: was run with other options"),
        ("--modality=t1c", "modality: expected none"),
        ("--epoch=2", "--epochs"),
    ],
)
def test_what_the_user_can_repair_is_told_in_a_line(begun, more: str, said: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main([*begun[0], more])
    assert said in capsys.readouterr().err


def test_a_folder_does_not_go_on_with_the_weights_of_another_modality(begun, phantom_dir: Path) -> None:
    _, out, _ = begun
    options = {**TINY, **per_modality.shared_files(out / "shared"), "dataset_dir": phantom_dir, "modality": "t2w"}
    files = [str(ROOT / "configs" / name) for name in ("train.json", "recipes/single_modality.yaml")]
    with pytest.raises(RuntimeError) as caught:
        in_this_process("training", files, {**options, "bundle_root": ROOT, "output_dir": out / "t1c"})
    assert "measurement or modality" in str(first_cause(caught.value))


def test_with_several_devices_the_shared_records_come_first_and_each_prints_to_its_log(
    tmp_path: Path, monkeypatch
) -> None:
    calls = []
    monkeypatch.setattr(per_modality, "visible_devices", lambda: ["4", "6"])
    monkeypatch.setattr(
        per_modality, "run_bundle", lambda run_id, files, options, *where: calls.append((run_id, where))
    )
    per_modality.train_models(MODALITIES, tmp_path, [], {})
    assert calls[0] == ("precompute", ())
    assert {run_id for run_id, _ in calls[1:]} == {"training"}
    assert {log for _, (_, log) in calls[1:]} == {tmp_path / modality / "training.log" for modality in MODALITIES}
