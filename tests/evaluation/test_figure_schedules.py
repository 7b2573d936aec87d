"""The figure of the schedules."""

from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from semivae_bundle.evaluation.figure_schedules import schedules_figure, write_schedules
from semivae_bundle.training.schedules import Constant, LinearRamp

TRAIN = Path(__file__).parents[2] / "configs" / "train.json"


def test_each_line_is_the_weight_times_its_schedule() -> None:
    schedules = {"kl": LinearRamp(0, 10), "kl_vol": Constant(0.5)}
    first, second = schedules_figure(schedules, {"kl": 4.0, "tumour": 2.0}, 20).axes
    assert [line.get_label() for line in first.lines] == ["kl", "kl_vol"]
    for line, own in zip(first.lines, (1.0, 0.5), strict=True):
        x, y = line.get_data()
        assert y == pytest.approx([4 * own * min(e / 10, 1) for e in x])
    assert set(second.lines[0].get_ydata()) == {2.0}


def test_the_shipped_schedules_are_drawn_without_data(tmp_path: Path) -> None:
    parser = ConfigParser(ConfigParser.load_config_file(str(TRAIN)))
    parser.update({"output_dir": str(tmp_path / "out"), "dataset_dir": str(tmp_path / "none")})
    assert parser.get_parsed_content("draw_schedules") == tmp_path / "out" / "schedules.png"
    assert (tmp_path / "out" / "schedules.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_is_written_whole(tmp_path: Path) -> None:
    file = write_schedules({}, {"kl": 1.0}, 3, tmp_path / "a.png")
    assert [file] == list(tmp_path.iterdir())


@pytest.mark.parametrize("epochs", [-5, 0, 1.5])
def test_epochs_that_no_training_could_have_are_refused(epochs: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"epochs: expected a whole number >= 1, found {epochs}"):
        write_schedules({}, {"kl": 1.0}, epochs, tmp_path / "a.png")  # type: ignore[arg-type]
