"""Phantoms scanned again: standardised, of the same tumour, and as various as asked for."""

from dataclasses import replace

import numpy as np
import pytest

from semivae_bundle.data.phantom.rescan import rescan
from semivae_bundle.data.phantom.subject import draw_head
from semivae_bundle.data.phantom.tissue_map import TissueMap, map_of_head
from semivae_bundle.data.phantom.variety import FLUID, Variety, vary_stripping, vary_tissues

PLAIN = Variety("mixed", (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), (-1.0, -1.0), (-1.0, -1.0), (0.0, 0.0))


@pytest.fixture(scope="module")
def tissue() -> TissueMap:
    """The tissue of one phantom, 32³ voxels of 7.5 mm."""
    return map_of_head(draw_head(0, 2, 0, 1, size=32, spacing=7.5, contrast="mixed"), 32)


def varied(tissue: TissueMap, variety: Variety) -> np.ndarray:
    """Fractions after the draw of seed 0."""
    return vary_tissues(np.random.default_rng(0), tissue.tissues, tissue.depth, tissue.grid, variety)


def kept_of(tissue: TissueMap, variety: Variety) -> np.ndarray:
    """What stripping keeps by the draw of seed 0."""
    rng = np.random.default_rng(0)
    return vary_stripping(rng, tissue.tissues, tissue.depth, tissue.tumour, tissue.grid, variety)


def test_every_channel_has_mean_zero_and_spread_one_in_the_brain(tissue: TissueMap) -> None:
    image = rescan(np.random.default_rng(0), tissue, PLAIN)
    inside = image[:, (image != 0).any(dim=0)]
    assert image.shape == (4, 32, 32, 32)
    assert inside.mean(dim=1).numpy() == pytest.approx(0, abs=1e-4)
    assert inside.std(dim=1).numpy() == pytest.approx(1, abs=1e-4)


def test_the_generator_alone_decides_the_image(tissue: TissueMap) -> None:
    one, same, other = (rescan(np.random.default_rng(seed), tissue, PLAIN) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("cut_mm", [(0.0, 0.0), (15.0, 15.0)])
def test_the_tumour_always_lies_inside_the_brain(tissue: TissueMap, cut_mm: tuple[float, float]) -> None:
    ragged = replace(PLAIN, cut_mm=cut_mm, drained=(1.0, 1.0), coat_mm=(20.0, 20.0))
    for seed in range(3):
        image = rescan(np.random.default_rng(seed), tissue, ragged)
        assert (image != 0).any(dim=0).numpy()[tissue.part][tissue.tumour].all()


def test_without_variety_the_tissue_stays(tissue: TissueMap) -> None:
    assert np.allclose(varied(tissue, PLAIN), tissue.tissues, atol=1e-5)


def test_variety_moves_no_tumour_and_adds_no_tissue(tissue: TissueMap) -> None:
    wild = Variety("random", (2.0, 3.0), (0.5, 1.5), (0.5, 1.0), (3.0, 8.0), (0.0, 1.0), (0.0, 4.0))
    new = varied(tissue, wild)
    assert np.array_equal(new[3:6], tissue.tissues[3:6])
    assert np.allclose(new.sum(axis=0), tissue.tissues.sum(axis=0), atol=1e-4)
    assert new.min() >= -1e-6


@pytest.mark.parametrize("change", [{"sulci": (1.0, 1.0)}, {"coat_mm": (8.0, 8.0)}])
def test_wide_sulci_and_a_coat_are_more_fluid(tissue: TissueMap, change: dict[str, tuple[float, float]]) -> None:
    brain = tissue.depth > 0
    plain, changed = (varied(tissue, variety)[FLUID][brain].sum() for variety in (PLAIN, replace(PLAIN, **change)))
    assert changed > 1.1 * plain


def test_crisp_tissue_is_mixed_in_fewer_voxels(tissue: TissueMap) -> None:
    brain = tissue.depth > 10
    plain, crisp = (varied(tissue, replace(PLAIN, crispness=(p, p)))[:3].max(axis=0)[brain].mean() for p in (1.0, 3.0))
    assert crisp > plain + 0.05


def test_a_deeper_cut_and_emptied_sulci_leave_less(tissue: TissueMap) -> None:
    plain, cut, empty, more = (
        kept_of(tissue, replace(PLAIN, **change)).sum()
        for change in ({}, {"cut_mm": (5.0, 5.0)}, {"drained": (1.0, 1.0)}, {"cut_mm": (-3.0, -3.0)})
    )
    assert cut < 0.95 * plain
    assert empty < 0.98 * plain
    assert more > 1.02 * plain


def test_a_wrong_style_or_range_is_named() -> None:
    with pytest.raises(ValueError, match=r"style: expected one of standard, random, mixed, found 'loud'"):
        replace(PLAIN, style="loud")
    with pytest.raises(ValueError, match=r"cut_mm: expected the lowest and the highest value, found \[2.0, 1.0\]"):
        replace(PLAIN, cut_mm=(2.0, 1.0))
