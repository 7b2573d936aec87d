"""scripts/ablation.py: rows are trained once, evaluated, and tabulated."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from monai.bundle import ConfigParser

ROOT = Path(__file__).parents[1]
TINY: dict[str, Any] = {
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.5, "validation": 0.5},
    "roi_size": [32, 32, 32],
    "network_def#encoder#base_filters": 8,
    "network_def#encoder#blocks": [1, 1],
    "network_def#encoder#pool_size": 2,
    "network_def#decoder#channels": [16, 8],
    "network_def#decoder#atlas#side": 8,
    "progress": False,
    "amp": False,
}


def test_a_row_is_trained_once_and_its_figures_come_in_a_table(
    phantom_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from ablation import ablation

    said = []
    for _ in range(2):
        ablation(str(phantom_dir), str(tmp_path), ["independence_covariance"], epochs=1, **TINY)
        said.append(capsys.readouterr().out)
    assert "independence_covariance: training" in said[0]
    assert "training" not in said[1]
    assert "| independence_covariance | " in said[1]
    with pytest.raises(ValueError, match=r"independence_covariance: was run with other options.*'epochs': \(1, 2\)"):
        ablation(str(phantom_dir), str(tmp_path), ["independence_covariance"], epochs=2, **TINY)
    with (tmp_path / "ablation.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["row"], row["seed"]) == ("independence_covariance", "0")
    assert float(row["s per step"]) > 0
    assert 0 <= float(row["distance correlation"]) <= 1
    assert {"R² vol", "residual active", "KL shape", "p", "PSNR tumour [dB]"} < set(row)
    assert (tmp_path / "shared" / "splits.json").exists()


def test_rows_from_a_file_run_at_once_with_several_seeds_on_the_same_splits(
    phantom_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from ablation import ablation

    (tmp_path / "rows.yaml").write_text("apart: {recipes: [ema], apart: [normalizer_file], ema_share: 0.5}\n")
    out = tmp_path / "runs"
    ablation(str(phantom_dir), str(out), str(tmp_path / "rows.yaml"), epochs=1, seeds=[0, 1], at_once=2, **TINY)
    assert "| apart | " in capsys.readouterr().out
    with (out / "ablation.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["row"], line["seed"]) for line in lines] == [("apart", "0"), ("apart", "1")]
    assert lines[0]["KL vol"] != lines[1]["KL vol"]
    assert (out / "apart" / "normalizer.json").is_file()
    assert '"ema_share": 0.5' in (out / "apart" / "row.json").read_text()
    assert (out / "apart@1" / "training.txt").is_file()
    assert not (out / "apart@1" / "splits.json").exists()
    assert (out / "shared" / "normalizer.json").is_file()


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ("a: {recipe: [ema]}", {}, "found --recipe"),
        ("a: {recipes: ema}", {}, "expected a list of recipes"),
        ("a: {apart: [normaliser_file]}", {}, "apart among"),
        ("a: {seed: 3}", {}, "pass --seeds"),
        ("a: {}", {"opions": 1}, "found --opions"),
    ],
)
def test_what_would_do_nothing_is_refused(
    rows: str, options: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from ablation import ablation

    (tmp_path / "rows.yaml").write_text(rows)
    with pytest.raises(ValueError, match=said):
        ablation(str(tmp_path), str(tmp_path / "runs"), str(tmp_path / "rows.yaml"), **options)


def test_a_row_whose_recipe_has_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import ablation

    monkeypatch.setattr(ablation, "ROOT", tmp_path)
    recipe = tmp_path / "configs" / "recipes" / "rough.yaml"
    recipe.parent.mkdir(parents=True)
    (tmp_path / "configs" / "train.json").write_text((ROOT / "configs" / "train.json").read_text())
    for text in ("learning_rate: 0.1", "learning_rate: 0.2"):
        recipe.write_text(text)
        (job,) = ablation.jobs_of("rough", ablation.Row(["rough"]), None, [0], tmp_path / "runs", {})
        if text.endswith("1"):
            job.remember("validation")
    with pytest.raises(ValueError, match=r"was run with other options.*rough\.yaml"):
        job.remember("validation")


def test_a_table_has_the_mean_and_the_spread_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from ablation import markdown

    index = pd.MultiIndex.from_tuples([("a", 0), ("a", 1), ("b", 0)], names=["row", "seed"])
    assert markdown(pd.DataFrame({"x": [0.25, 0.75, 2.0]}, index=index)).splitlines()[2:] == [
        "| a | 0.5 ± 0.35 |",
        "| b | 2 |",
    ]


@pytest.mark.parametrize("file", sorted((ROOT / "scripts" / "ablations").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_rows_of_every_file_are_recipes_and_ids_that_there_are(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from ablation import read_rows

    for row in read_rows(str(file)).values():
        names = ["train.json", *(f"recipes/{recipe}.yaml" for recipe in row.recipes)]
        parser = ConfigParser(ConfigParser.load_config_files([str(ROOT / "configs" / name) for name in names]))
        assert [option for option in (*row.options, *row.apart) if option not in parser] == []


def test_figures_are_drawn_from_what_an_ablation_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import collapse_figure
    import label_figure

    for row, width in (("default", 1.0), ("collapse", 1e-3)):
        (tmp_path / row / "evaluation").mkdir(parents=True)
        history = "epoch,name,value\n1,diag/au_count_residual,4\n2,diag/au_count_residual,3\n"
        (tmp_path / row / "metrics.csv").write_text(history)
        means = pd.DataFrame({f"mean_residual_{d:02d}": [0.0, width] for d in range(4)})
        means.to_csv(tmp_path / row / "evaluation" / "predictions.csv")
    lines = [{"row": row, "seed": 0, "R² vol": 0.5, "R² loc": 0.9, "R² shape": 0.1} for row in (
        "labels_100", "labels_25", "labels_25_only", "labels_25_mean_teacher"
    )]  # fmt: skip
    pd.DataFrame(lines).to_csv(tmp_path / "ablation.csv", index=False)
    for script in (collapse_figure, label_figure):
        file = tmp_path / f"{script.__name__}.png"
        script.draw(str(tmp_path), str(file))
        assert file.read_bytes()[:4] == b"\x89PNG"
