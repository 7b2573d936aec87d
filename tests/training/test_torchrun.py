"""A process of several, as torchrun starts them, and one that it did not start."""

from pathlib import Path

import pytest
from monai.bundle import ConfigParser

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def parser() -> ConfigParser:
    files = [str(CONFIGS / name) for name in ("train.json", "multi_gpu_train.json")]
    return ConfigParser(ConfigParser.load_config_files(files))


def test_a_process_of_torchrun_knows_its_number(parser: ConfigParser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert parser.get_parsed_content("local_rank") == 3


def test_without_torchrun_the_first_step_ends_with_how_to_start(
    parser: ConfigParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(SystemExit, match=r"expected to be started by torchrun.*--nproc_per_node N"):
        parser.get_parsed_content("initialize")
