from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from semivae_bundle.training.reconstruction_images import ReconstructionImages, side_by_side

CONFIGS = Path(__file__).parents[2] / "configs"


def a_batch() -> dict[str, dict[str, torch.Tensor]]:
    image = torch.rand(2, 4, 8, 10, 6, generator=torch.Generator().manual_seed(0))
    brain = torch.zeros(2, 1, 8, 10, 6)
    brain[:, :, 2:6, 2:8, 1:5] = 1
    return {"label": {"image": image, "brain": brain}, "pred": {"reconstruction": 0.5 * image}}


def validations(handler: ReconstructionImages, epochs: list[int]) -> None:
    """As MONAI's validation handler: the evaluator starts anew, with the trainer's epoch."""
    engine = Engine(lambda engine, batch: a_batch())
    handler.attach(engine)
    for epoch in epochs:
        engine.state.epoch, engine.state.iteration, engine.state.max_epochs = epoch - 1, 0, epoch
        engine.run([{"subject": ["a", "b"]}] * 3)


@pytest.mark.parametrize(
    ("epochs", "drawn"),
    [([1, 2, 3], [1, 3]), ([2, 4, 6, 8], [2, 4, 6, 8]), ([3, 4, 6, 8], [3, 6, 8]), ([10, 20], [10, 20])],
)
def test_pictures_are_written_every_few_epochs_of_the_first_batch(
    epochs: list[int], drawn: list[int], tmp_path: Path
) -> None:
    validations(ReconstructionImages(tmp_path, every=2, shown=1), epochs)
    found = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    assert found.Tags()["images"] == ["reconstruction/a"]
    assert sorted(image.step for image in found.Images("reconstruction/a")) == drawn
    assert (found.Images("reconstruction/a")[0].width, found.Images("reconstruction/a")[0].height) == (32, 20)


def test_the_scan_is_above_its_reconstruction_in_one_window_and_black_outside() -> None:
    image, brain = torch.zeros(1, 8, 10, 6), torch.ones(8, 10, 6, dtype=torch.bool)
    image[0, :, 5:, :] = 2.0
    brain[0] = False
    picture = side_by_side(image, image / 2, brain)
    assert picture.shape == (1, 20, 8)
    assert picture[0, 0, :7].tolist() == [1.0] * 7  # the front, which is bright, at the top
    assert picture[0, 10, :7].tolist() == [0.5] * 7
    assert picture[0, :, 7].max() == 0  # x = 0 is the patient's left, on the right


@pytest.mark.parametrize(("every", "shown"), [(0, 1), (1, 0)])
def test_a_count_below_one_is_refused(every: int, shown: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"found {every} and {shown}"):
        ReconstructionImages(tmp_path, every, shown)


def test_the_recipe_gives_the_evaluator_the_handler(tmp_path: Path) -> None:
    files = [str(CONFIGS / "train.json"), str(CONFIGS / "recipes" / "reconstruction_images.yaml")]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser["output_dir"] = str(tmp_path)
    (handler,) = parser.get_parsed_content("validate#evaluator#val_handlers")
    assert (handler.log_dir, handler.every, handler.shown) == (tmp_path / "tensorboard", 10, 2)
