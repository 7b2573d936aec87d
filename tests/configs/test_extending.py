"""What docs/extending.md tells people to write works as it stands there."""

import re
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from tiny_networks import TWO_STAGES

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.networks.semivae import OUTPUTS
from semivae_bundle.training.batch import TARGETS

ROOT = Path(__file__).parents[2]
TRAIN = ROOT / "configs" / "train.json"
PAGE = (ROOT / "docs" / "extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def overlaid(recipe: str, folder: Path) -> ConfigParser:
    (folder / "recipe.yaml").write_text(recipe)
    parser = ConfigParser(ConfigParser.load_config_files([str(TRAIN), str(folder / "recipe.yaml")]))
    for name, value in TWO_STAGES.items():
        parser[name] = value
    return parser


def test_a_term_from_a_module_of_one_s_own_joins_the_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_terms.py").write_text(blocks("python")[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    parser = overlaid(blocks("yaml")[0], tmp_path)
    loss, schedule = parser.get_parsed_content("loss"), parser.get_parsed_content("schedules")["rough"]
    assert parser.get_parsed_content("checks") is None
    assert (list(loss.extra), loss.weights["rough"], schedule(0)) == (["rough"], 0.5, 0)
    smooth = torch.zeros(1, 4, 6, 6, 6)
    rough = smooth.clone()
    rough[:, 1, ::2] = 5.0
    assert loss.extra["rough"]({"tumour_logits": smooth}, {}) == 0
    assert loss.extra["rough"]({"tumour_logits": rough.requires_grad_()}, {}) > 100


def test_a_readout_of_one_s_own_is_read_by_the_residual_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_parts.py").write_text(blocks("python")[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    parser = overlaid(blocks("yaml")[1], tmp_path)
    assert parser.get_parsed_content("checks") is None
    network = parser.get_parsed_content("network_def").eval()
    readout = network.encoder.readouts["brightness"]
    image = torch.randn(2, 4, 32, 32, 32)
    everywhere = torch.zeros(2, 4, 32, 32, 32).index_fill(1, torch.tensor([0]), -100.0)
    torch.testing.assert_close(readout(image, [], everywhere), image.mean(dim=(2, 3, 4)), atol=1e-5, rtol=0)
    before = network(image)["mean"]
    monkeypatch.setattr(readout, "forward", lambda *_: torch.full((2, readout.size), 5.0))
    changed = (network(image)["mean"] != before).any(dim=0)
    assert not changed[:52].any()
    assert changed[52:].any()


def test_other_features_make_another_network(tmp_path: Path) -> None:
    parser = overlaid(blocks("yaml")[2], tmp_path)
    assert parser.get_parsed_content("checks") is None
    output = parser.get_parsed_content("network_def").eval()(torch.randn(2, 4, 32, 32, 32))
    assert output["features"].shape == (2, 4 + 3 + 3)


def test_the_tables_name_everything_that_a_term_is_given() -> None:
    outputs, targets = (set(re.findall(r"`(\w+)`", "".join(rows))) for rows in (rows_of("output"), rows_of("target")))
    assert outputs == set(OUTPUTS)
    assert targets == {"image", *TARGETS}
    assert ", ".join(MODALITIES) in PAGE


def rows_of(head: str) -> list[str]:
    table = PAGE.split(f"| `{head}` |")[1].split("\n\n")[0]
    return re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE)
