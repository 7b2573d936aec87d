from collections.abc import Callable

import numpy as np
import pytest

from semivae_bundle.evaluation import corruptions
from semivae_bundle.evaluation.corruptions import Image, Mask, brain_of, standardised


@pytest.fixture
def image() -> Image:
    """A lopsided ball of a brain, z-scored."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(16.0)] * 3, indexing="ij")) - 7.5
    ball = np.square(grid / np.array([4.0, 5.0, 6.0])[:, None, None, None]).sum(axis=0) < 1
    return standardised((rng.normal(5, 1, size=(4, 16, 16, 16)) * ball).astype(np.float32))


@pytest.fixture
def tumour(image: Image) -> Mask:
    mask = np.zeros(image.shape[1:], bool)
    mask[4:8, 6:9, 6:9] = True
    return mask & brain_of(image)


def every(image: Image, tumour: Mask) -> dict[str, Callable[[], Image]]:
    def rng() -> np.random.Generator:
        return np.random.default_rng(1)

    return {
        "swapped": lambda: corruptions.swapped_modalities(image, first=0, second=2),
        "flipped": lambda: corruptions.flipped(image, axis=2),
        "skull": lambda: corruptions.with_skull(image, thickness=2, brightness=3.0),
        "intensity": lambda: corruptions.with_wrong_intensity(image, power=4.0),
        "noise": lambda: corruptions.with_noise(image, std=1.0, rng=rng()),
        "organ": lambda: corruptions.another_organ(image, count=5, rng=rng()),
        "blocks": lambda: corruptions.shuffled_blocks(image, side=4, rng=rng()),
        "tumour": lambda: corruptions.without_tumour(image, tumour),
    }


NAMES = ("swapped", "flipped", "skull", "intensity", "noise", "organ", "blocks", "tumour")


@pytest.mark.parametrize("name", NAMES)
def test_a_corruption_is_another_image_of_the_same_kind_and_leaves_the_scan_as_it_was(
    name: str, image: Image, tumour: Mask
) -> None:
    before, made = image.copy(), every(image, tumour)
    changed = made[name]()
    assert (changed.shape, changed.dtype) == (image.shape, np.float32)
    assert np.isfinite(changed).all()
    assert not np.array_equal(changed, image)
    assert np.array_equal(image, before)
    assert np.array_equal(changed, made[name]())


@pytest.mark.parametrize("name", ["swapped", "intensity", "noise", "tumour"])
def test_the_brain_keeps_its_outline_where_only_intensities_are_wrong(name: str, image: Image, tumour: Mask) -> None:
    assert np.array_equal(brain_of(every(image, tumour)[name]()), brain_of(image))


def test_a_swap_touches_two_channels_and_undoes_itself(image: Image) -> None:
    swapped = corruptions.swapped_modalities(image, first=0, second=2)
    assert np.array_equal(swapped[[0, 1, 2, 3]], image[[2, 1, 0, 3]])
    assert np.array_equal(corruptions.swapped_modalities(swapped, first=0, second=2), image)


def test_a_flip_undoes_itself_and_moves_one_axis(image: Image) -> None:
    flipped = corruptions.flipped(image, axis=1)
    assert np.array_equal(flipped[:, 3, 5, 7], image[:, 3, 10, 7])
    assert np.array_equal(corruptions.flipped(flipped, axis=1), image)


def test_a_skull_lies_round_the_brain_and_leaves_it_alone(image: Image) -> None:
    with_skull, inside = corruptions.with_skull(image, thickness=2, brightness=3.0), brain_of(image)
    assert np.array_equal(with_skull[:, inside], image[:, inside])
    shell = brain_of(with_skull) & ~inside
    assert shell.any()
    assert np.all(with_skull[:, shell] == 3)


def test_wrong_intensities_keep_their_order(image: Image) -> None:
    inside = brain_of(image)
    values, changed = image[1, inside], corruptions.with_wrong_intensity(image, power=4.0)[1, inside]
    assert np.all(np.diff(changed[np.argsort(values)]) >= 0)
    assert standardised(changed[None, None, None]).std() == pytest.approx(1, abs=1e-3)
    assert np.abs(standardised(changed[None, None, None])[0, 0, 0] - values).max() > 0.5


def test_noise_has_the_stated_strength_inside_the_brain_only(image: Image) -> None:
    noise = corruptions.with_noise(image, std=0.5, rng=np.random.default_rng(0)) - image
    inside = brain_of(image)
    assert noise[:, inside].std() == pytest.approx(0.5, rel=0.05)
    assert not noise[:, ~inside].any()


def test_shuffled_blocks_keep_every_voxel(image: Image) -> None:
    shuffled = corruptions.shuffled_blocks(image, side=8, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(shuffled, axis=None), np.sort(image, axis=None))
    moved = {shuffled[:, :8, 8:, :8].tobytes()}
    cubes = {image[:, i : i + 8, j : j + 8, k : k + 8].tobytes() for i in (0, 8) for j in (0, 8) for k in (0, 8)}
    assert moved <= cubes
    with pytest.raises(ValueError, match="side: expected a divisor"):
        corruptions.shuffled_blocks(image, side=5, rng=np.random.default_rng(0))


def test_only_the_tumour_is_replaced_by_what_lies_opposite(image: Image, tumour: Mask) -> None:
    healed = corruptions.without_tumour(image, tumour)
    assert np.array_equal(healed[:, ~tumour], image[:, ~tumour])
    assert np.array_equal(healed[:, 5, 7, 7], image[:, 10, 7, 7])
    everywhere = corruptions.without_tumour(image, tumour | np.flip(tumour, axis=0))
    healthy = brain_of(image) & ~(tumour | np.flip(tumour, axis=0))
    assert everywhere[0, 5, 7, 7] == pytest.approx(np.median(image[0, healthy]))


def test_another_organ_owes_nothing_to_the_brain(image: Image) -> None:
    first, second = (
        corruptions.another_organ(one, count=5, rng=np.random.default_rng(2)) for one in (image, 3 * image)
    )
    assert np.array_equal(first, second)
    assert brain_of(first).sum() > 1.5 * brain_of(image).sum()


def test_standardised_images_have_mean_0_and_spread_1_over_the_brain(image: Image) -> None:
    again = standardised(np.where(brain_of(image), 7 * image + 3, 0).astype(np.float32))
    np.testing.assert_allclose(again, image, atol=1e-5)
