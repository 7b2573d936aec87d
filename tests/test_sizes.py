"""The size recipes, and the table of what they cost."""

import csv
from pathlib import Path
from types import ModuleType

import pytest
import torch
from monai.bundle import ConfigParser

ROOT = Path(__file__).parents[1]


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from benchmarks import sizes

    return sizes


def million(recipe: str | None) -> float:
    files = [ROOT / "configs" / "train.json", *([ROOT / "configs" / "recipes" / f"{recipe}.yaml"] if recipe else [])]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    return sum(p.numel() for p in parser.get_parsed_content("network_def").parameters()) / 1e6


def test_each_size_has_about_four_times_the_weights_of_the_one_before() -> None:
    found = [million(recipe) for recipe in ("tiny", "small", None, "large")]
    assert found == pytest.approx([0.82, 3.63, 10.96, 40.9], rel=0.01)


def test_a_saved_tensor_counts_once_and_what_is_there_anyway_not_at_all(sizes: ModuleType) -> None:
    weight, x = torch.ones(1024, 1024, requires_grad=True), torch.ones(1024, 1024)

    def forward() -> torch.Tensor:
        y = x * weight  # saves x, which is held, and the weight
        return (y.exp() * y).sum()  # the exponential saves its result, which the product saves again with y

    assert sizes.saved_activation_mib(forward, [weight, x]) == 8.0
    assert sizes.saved_activation_mib(forward, [weight]) == 12.0


def saved_in_float32(sizes: ModuleType, *recipes: str) -> float:
    """MiB that a step of the base network at 32³ saves, whatever arithmetic this machine trains in."""
    one = sizes.training_step(recipes, roi=32, batch=1)
    held = [*sizes.held_by(one.network, one.objective), *one.target.values()]
    mib: float = sizes.saved_activation_mib(lambda: one.objective(one.network(one.target["image"]), one.target), held)
    return mib


def test_checkpointing_leaves_less_than_half_of_the_activations_of_a_step(sizes: ModuleType) -> None:
    assert saved_in_float32(sizes, "activation_checkpointing") < 0.5 * saved_in_float32(sizes)


def test_the_row_of_a_size_is_measured(sizes: ModuleType) -> None:
    row = sizes.measure_size("tiny", roi=16, batch=1, repeats=1)
    again = sizes.measure_size("tiny", roi=16, batch=2, repeats=1, more=["activation_checkpointing"])
    assert row.parameters_million == again.parameters_million == pytest.approx(0.79, rel=0.01)
    assert again.saved_mib < row.saved_mib
    assert 2 * row.gflop < again.gflop < 4 * row.gflop
    assert min(row.peak_gib, row.step_s) > 0


def test_the_table_is_printed_and_written(
    sizes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes.sizes(roi=16, repeats=1, names="tiny", csv=str(tmp_path / "sizes.csv"))
    header, rule, row = capsys.readouterr().out.splitlines()[-3:]
    assert header.count("|") == rule.count("|") == row.count("|") == 7
    (written,) = csv.DictReader((tmp_path / "sizes.csv").read_text().splitlines())
    assert row.startswith(
        f"| `tiny` | {float(written['parameters_million']):.2f} | {float(written['saved_mib']):.1f} |"
    )
