import numpy as np
import pytest
import torch
from torch import nn

from semivae_bundle.evaluation import corruptions
from semivae_bundle.evaluation.corruptions import Image, standardised
from semivae_bundle.evaluation.detection import (
    auroc_per_corruption,
    corrupted_scans,
    detection_per_corruption,
    verdict_on,
)
from semivae_bundle.evaluation.novelty import NoveltyGate
from semivae_bundle.evaluation.novelty_fitting import fit_novelty_gate
from semivae_bundle.evaluation.scan_profiles import scan_profiles
from semivae_bundle.evaluation.scan_scores import SCORES, scan_scores


class Template(nn.Module):
    """Draws the same image whatever it sees, and codes the mean of each channel's upper half."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image = nn.Parameter(image)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        mean = image[..., 6:].mean(dim=(2, 3, 4))
        zero = torch.zeros_like(mean)
        return {"reconstruction": self.image[None], "mean": mean, "log_var": zero, "tumour_logits": 0 * image}


def a_scan(seed: int) -> Image:
    """A ball, brighter towards one corner, its channels unlike each other, with some noise of its own."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 12)] * 3, indexing="ij"))
    ball = np.square(grid).sum(axis=0) < 0.7 + 0.02 * rng.normal()
    contrast = np.array([[1, 0, 1], [0, 1, -1], [-1, 1, 1], [1, 1, 0.5]])
    values = np.tensordot(contrast, grid, axes=1) + 0.1 * rng.normal(size=(4, 12, 12, 12))
    return standardised((values * ball).astype(np.float32))


@pytest.fixture(scope="module")
def network() -> Template:
    return Template(torch.from_numpy(np.mean([a_scan(seed) for seed in range(40)], axis=0))).eval()


@pytest.fixture(scope="module")
def gate(network: Template) -> NoveltyGate:
    found = []
    for seed in range(100, 160):
        image = torch.from_numpy(a_scan(seed))
        with torch.no_grad():
            output = {name: part[0] for name, part in network(image[None]).items()}
        found.append(
            (output["mean"].double().numpy(), scan_scores(image, *output.values()), scan_profiles(image.numpy()))
        )
    means, scores, profiles = zip(*found, strict=True)
    return fit_novelty_gate(
        np.stack(means),
        {name: np.array([one[name] for one in scores]) for name in SCORES},
        [str(i) for i in range(60)],
        false_alarm_rate=0.05,
        seed=0,
        profiles={name: np.stack([one[name] for one in profiles]) for name in profiles[0]},
    )


def test_the_auroc_of_known_scores_is_known() -> None:
    usual = np.array([1.0, 2.0, 3.0])
    found = auroc_per_corruption(usual, {"far": usual + 9, "same": usual, "half": np.array([2.0])})
    assert found == pytest.approx({"far": 1.0, "same": 0.5, "half": 0.5})


def test_every_corruption_is_made_and_the_missing_tumour_only_with_a_mask() -> None:
    image, rng = a_scan(0), np.random.default_rng(0)
    made = corrupted_scans(image, None, rng)
    assert len(made) == 9
    with_mask = corrupted_scans(image, np.ones(image.shape[1:], bool), rng)
    assert set(with_mask) - set(made) == {"without_tumour"}
    for one in made.values():
        assert one[:, (one != 0).any(axis=0)].mean() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("sides", "expected"), [((64, 64, 48), 8), ((12, 12, 12), 3), ((16, 8, 6), 1), ((9, 8, 7), 1)])
def test_blocks_are_the_largest_that_divide_every_side(
    sides: tuple[int, ...], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    monkeypatch.setattr(corruptions, "shuffled_blocks", lambda image, *, side, rng: found.append(side) or image)
    corrupted_scans(np.ones((4, *sides), np.float32), None, np.random.default_rng(0))
    assert found == [expected]


def test_a_grid_whose_sides_differ_is_corrupted_too() -> None:
    image = np.random.default_rng(0).normal(size=(4, 16, 16, 12)).astype(np.float32)
    made = corrupted_scans(image, None, np.random.default_rng(0))
    assert {one.shape for one in made.values()} == {image.shape}


def test_a_gate_tells_corrupted_scans_from_usual_ones(network: Template, gate: NoveltyGate) -> None:
    found = detection_per_corruption([(a_scan(seed), None) for seed in range(200, 215)], network, gate, seed=0)
    assert found["usual"].flagged <= 0.2
    assert (found["usual"].auroc, found["usual"].scans) == (0.5, 15)
    for name in ("swapped_modalities", "flipped_head_foot", "skull", "noise", "another_organ", "shuffled_blocks"):
        assert found[name].auroc > 0.95, name
        assert found[name].flagged > 0.9, name


def test_a_verdict_names_the_score_that_saw_the_noise(network: Template, gate: NoveltyGate) -> None:
    noisy = corrupted_scans(a_scan(300), None, np.random.default_rng(0))["noise"]
    assert "grain_distance" in verdict_on(noisy, network, gate).reason


def test_no_scan_is_an_error(network: Template, gate: NoveltyGate) -> None:
    with pytest.raises(ValueError, match="scans: expected at least one"):
        detection_per_corruption([], network, gate, seed=0)
