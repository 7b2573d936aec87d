"""Correlation between partitions, free of the offset that chance makes."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.independence import cross_partition_correlation, cross_partition_mask

SIZES = {"a": 3, "b": 2, "c": 1}
MASK = cross_partition_mask(SIZES)


def normals(n: int, dimensions: int, seed: int) -> Tensor:
    return torch.randn(n, dimensions, generator=torch.Generator().manual_seed(seed))


def test_the_mask_marks_pairs_of_different_partitions() -> None:
    owner = torch.tensor([0, 0, 0, 1, 1, 2])
    assert torch.equal(MASK.bool(), owner[:, None] != owner[None, :])
    assert int(MASK.sum()) == 2 * (3 * 2 + 3 * 1 + 2 * 1)


@pytest.mark.parametrize("n", [3, 5, 20, 200])
def test_independent_dimensions_expect_zero_whatever_the_number_of_subjects(n: int) -> None:
    draws = torch.stack([cross_partition_correlation(normals(n, 6, s), MASK, epsilon=1e-9) for s in range(600)])
    standard_error = float(draws.std()) / 600**0.5
    assert abs(float(draws.mean())) < 3.5 * standard_error


def test_a_duplicated_dimension_has_the_information_of_perfect_correlation() -> None:
    z = normals(50, 1, 0)
    value = cross_partition_correlation(torch.cat([z, -z], dim=1), cross_partition_mask({"a": 1, "b": 1}), epsilon=1e-9)
    assert value.item() == pytest.approx(0.5 * (1 - 1 / 49), rel=1e-5)


def test_it_is_half_the_squared_pearson_correlation_summed_over_pairs() -> None:
    z = normals(30, 6, 1) @ normals(6, 6, 2)
    r = torch.corrcoef(z.T)
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6) if MASK[i, j]]
    expected = sum(0.5 * (float(r[i, j]) ** 2 - 1 / 29) for i, j in pairs)
    assert float(cross_partition_correlation(z, MASK, epsilon=1e-9)) == pytest.approx(expected, rel=1e-4)


def test_correlation_within_a_partition_is_free() -> None:
    z = normals(40, 1, 0)
    value = cross_partition_correlation(z.repeat(1, 4), cross_partition_mask({"a": 4}))
    assert value.item() == 0.0


def test_scale_and_offset_of_a_dimension_do_not_matter() -> None:
    z = normals(40, 6, 3)
    moved = z * torch.tensor([1.0, 5, 2, 3, 10, 4]) + torch.arange(6)
    torch.testing.assert_close(
        cross_partition_correlation(moved, MASK, epsilon=1e-9),
        cross_partition_correlation(z, MASK, epsilon=1e-9),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_constant_dimension_has_a_finite_value_and_no_gradient() -> None:
    z = normals(20, 6, 4)
    z[:, 0] = 0.7
    z.requires_grad_()
    value = cross_partition_correlation(z, MASK)
    value.backward()
    assert value.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert float(z.grad[:, 0].abs().max()) < 1e-5
    assert z.grad[:, 1:].any()


def test_its_gradient_step_lowers_the_correlation() -> None:
    z = normals(40, 2, 5)
    z[:, 1] += z[:, 0]
    z.requires_grad_()
    before = cross_partition_correlation(z, cross_partition_mask({"a": 1, "b": 1}))
    (gradient,) = torch.autograd.grad(before, z)
    assert cross_partition_correlation(z - 5 * gradient, cross_partition_mask({"a": 1, "b": 1})) < before


@pytest.mark.parametrize("n", [1, 2])
def test_two_subjects_say_nothing(n: int) -> None:
    z = normals(n, 6, 6).requires_grad_()
    value = cross_partition_correlation(z, MASK)
    value.backward()
    assert value.item() == 0.0
    assert z.grad is not None
    assert not z.grad.any()
