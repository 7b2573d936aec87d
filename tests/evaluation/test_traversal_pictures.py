from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semivae_bundle.evaluation.figure_traversal_curves import curves_figure
from semivae_bundle.evaluation.figure_traversal_leakage import traversal_leakage_figure
from semivae_bundle.evaluation.figure_traversal_strip import strip_figure
from semivae_bundle.evaluation.traversal import Drawn, Traversal
from semivae_bundle.evaluation.traversal_animation import LARGEST_BYTES, write_animation
from semivae_bundle.evaluation.traversal_strip import Strip, strip_of

STEPS = 3


@pytest.fixture
def drawn() -> Drawn:
    """Three steps of noise with a cube that wanders along x, its centre at z = 6."""
    images = np.random.default_rng(0).normal(size=(STEPS, 4, 16, 16, 16)).astype(np.float32)
    maps = np.zeros((STEPS, 16, 16, 16), np.uint8)
    for step in range(STEPS):
        maps[step, 4 + step : 8 + step, 7:9, 5:8] = 2
    return Drawn(images, maps)


@pytest.fixture
def strip(drawn: Drawn) -> Strip:
    values = np.array([[-20.0], [0.0], [20.0]])
    one = Traversal("s1", "p1", 0, values / 20, values / 20, values, np.array([[np.nan], [1.0], [19.0]]), values)
    brain = np.zeros((16, 16, 16), bool)
    brain[2:14, 3:13, 2:14] = True
    return strip_of(one, drawn, brain, "loc_x_total", "loc_x_total")


def test_the_plane_is_one_through_the_tumour_cut_to_the_brain(strip: Strip) -> None:
    assert strip.images.shape == (STEPS, 4, 12, 14)
    assert (strip.maps > 0).sum(axis=(1, 2)).tolist() == [8, 8, 8]
    assert 0 <= strip.images.min() < strip.images.max() <= 1


def test_what_moves_along_z_is_seen_from_the_front(drawn: Drawn) -> None:
    values = np.zeros((STEPS, 1))
    one = Traversal("s1", "p1", 0, values, values, values, values, values)
    seen = strip_of(one, drawn, np.ones((16, 16, 16), bool), "loc_z_total", "loc_z_total")
    # In a coronal plane the cube is four voxels wide and three high.
    assert (seen.maps > 0).sum(axis=(1, 2)).tolist() == [12, 12, 12]


def test_an_empty_map_is_called_so_in_the_strip(strip: Strip) -> None:
    panels = np.array(strip_figure(strip).axes).reshape(5, STEPS)
    assert [axes.get_title() for axes in panels[0]] == ["-20", "0", "20"]
    assert [axes.get_xlabel() for axes in panels[-1]] == ["empty", "1", "19"]


def test_an_animation_goes_there_and_back(strip: Strip, tmp_path: Path) -> None:
    with Image.open(write_animation(strip, tmp_path / "a.gif")) as picture:
        assert picture.format == "GIF"
        assert picture.n_frames == 2 * STEPS - 2  # type: ignore[attr-defined]
        assert picture.width == 4 * 4 * 14


def test_a_large_animation_stays_below_the_limit(strip: Strip, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(size=(9, 4, 60, 60)).astype(np.float32)
    large = replace(
        strip, images=noise, maps=np.zeros((9, 60, 60), np.uint8), requested=np.arange(9.0), obtained=np.arange(9.0)
    )
    assert write_animation(large, tmp_path / "a.gif").stat().st_size <= LARGEST_BYTES


def section(slope: float | None) -> dict[str, Any]:
    estimate = {"value": slope, "low": None, "high": None, "subjects": 1}
    return {
        "scans": 1,
        "compared_in": "ln mm3",
        "spearman": estimate,
        "slope": estimate,
        "without_the_region": {"scans": 1},
        "curves_unit": "mm3",
        "curves": [{"scan": "s", "requested": [1e3, 2e3, 4e3], "obtained": [None, 2e3, 3e3]}],
    }


def test_curves_quote_their_figures_and_leave_gaps() -> None:
    axes = curves_figure({"vol_total": section(0.8)}).axes[0]
    assert axes.get_xscale() == "log"
    assert "slope 0.80" in axes.texts[0].get_text()
    assert "1 scans with an empty map" in axes.texts[0].get_text()
    assert np.isnan(axes.lines[0].get_ydata()[0])  # type: ignore[index]
    assert "slope n/a" in curves_figure({"vol_total": section(None)}).axes[0].texts[0].get_text()


def test_a_cell_of_the_leakage_has_sign_and_size() -> None:
    leakage = {
        "features": ["vol_total", "loc_x_total"],
        "mean": [[1.0, -0.2], [None, 0.9]],
        "mean_absolute": [[1.0, 0.3], [None, 0.9]],
    }
    texts = [text.get_text() for text in traversal_leakage_figure(leakage).axes[0].texts]
    assert texts == ["+1.00\n(1.00)", "-0.20\n(0.30)", "n/a", "+0.90\n(0.90)"]
