"""Named slices of the latent vector."""

import pytest
import torch

from semivae_bundle.networks.partition import check_partition, check_roi, partition_slices

SIZES = {"vol": 16, "loc": 12, "shape": 24, "residual": 76}


def test_slices_follow_one_another_and_cover_the_latent() -> None:
    slices = partition_slices(SIZES)
    assert list(slices) == list(SIZES)
    covered = torch.cat([torch.arange(128)[part] for part in slices.values()])
    assert covered.tolist() == list(range(128))
    assert {name: part.stop - part.start for name, part in slices.items()} == SIZES


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "4"])
def test_a_size_that_is_no_positive_whole_number_is_named(size: object) -> None:
    with pytest.raises(ValueError, match="partition 'loc': expected a whole number of dimensions >= 1, found"):
        partition_slices({"vol": 4, "loc": size})  # type: ignore[dict-item]


def test_an_empty_partition_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one named size"):
        partition_slices({})


def test_sizes_must_add_up_and_the_message_says_what_would() -> None:
    check_partition(SIZES, 128)
    with pytest.raises(ValueError, match=r"add up to 128 .*latent size is 120; change latent_size to 128.*by -8"):
        check_partition(SIZES, 120)


@pytest.mark.parametrize("roi", [(64, 64, 60), (8, 16, 16), (16, 16), (0, 16, 16)])
def test_a_roi_that_the_stride_does_not_divide_is_refused(roi: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="roi_size: expected three sides divisible by 16"):
        check_roi(roi, 16)


def test_the_nearest_roi_that_fits_is_proposed_and_fits() -> None:
    with pytest.raises(ValueError, match=r"the nearest that fits is \[64, 16, 48\]"):
        check_roi((60, 3, 50), 16)
    check_roi((64, 16, 48), 16)
