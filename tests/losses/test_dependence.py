"""Distance correlation and HSIC: known values, invariances, no bias, gradient."""

import math

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.dependence import distances, gaussian_kernel, hsic, squared_distance_correlation, u_centred
from semivae_bundle.losses.queue import MeanQueue


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_u_centred_matrix_has_rows_that_sum_to_nothing() -> None:
    centred = u_centred(distances(normal(7, 2)))
    assert not centred.diagonal().any()
    torch.testing.assert_close(centred.sum(dim=1), torch.zeros(7), atol=1e-5, rtol=0)


def test_a_turned_scaled_and_shifted_copy_has_distance_correlation_one() -> None:
    x, turn = normal(40, 3), torch.linalg.qr(normal(3, 3, seed=1))[0]
    assert squared_distance_correlation(x, 2.5 * x @ turn + 4).item() == pytest.approx(1, abs=1e-4)


def test_of_two_normals_it_is_the_closed_form() -> None:
    # 10.1214/009053607000000505, theorem 7.
    r, n = 0.7, 1500
    x = normal(n, 2, seed=2)
    y = r * x[:, :1] + math.sqrt(1 - r**2) * x[:, 1:]
    top = r * math.asin(r) + math.sqrt(1 - r**2) - r * math.asin(r / 2) - math.sqrt(4 - r**2) + 1
    expected = top / (1 + math.pi / 3 - math.sqrt(3))
    assert squared_distance_correlation(x[:, :1], y).item() == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("measure", [squared_distance_correlation, hsic])
@pytest.mark.parametrize("size", [1, 30])
def test_independent_blocks_of_any_dimension_average_to_nothing(measure, size: int) -> None:
    values = torch.stack([measure(normal(24, size, seed=k), normal(24, size, seed=1000 + k)) for k in range(200)])
    assert abs(values.mean().item()) < 4 * values.std().item() / math.sqrt(200)


@pytest.mark.parametrize("measure", [squared_distance_correlation, hsic])
def test_dependence_without_correlation_is_seen(measure) -> None:
    x = normal(200, 1)
    assert measure(x, x.square()).item() > 10 * abs(measure(x, normal(200, 1, seed=5)).item())


@pytest.mark.parametrize("measure", [squared_distance_correlation, hsic])
def test_the_gradient_is_that_of_finite_differences_and_finite_where_two_coincide(measure) -> None:
    x, y = normal(6, 2), normal(6, 2, seed=3)
    x[1] = x[0]
    x.requires_grad_()
    measure(x, y).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    step = torch.zeros(6, 2)
    step[4, 1] = 2e-2
    with torch.no_grad():
        slope = (measure(x + step, y) - measure(x - step, y)) / 4e-2
    if measure is squared_distance_correlation:  # the width of the kernel is a statistic without gradient
        assert x.grad[4, 1].item() == pytest.approx(slope.item(), rel=0.03, abs=2e-3)


def test_hsic_is_the_published_sum_over_kernel_matrices() -> None:
    x, y, n = normal(9, 2), normal(9, 3, seed=1), 9
    k, m = (gaussian_kernel(block) * (1 - torch.eye(n)) for block in (x, y))
    total = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * (k @ m).sum() / (n - 2)
    torch.testing.assert_close(hsic(x, y), total / (n * (n - 3)))


@pytest.mark.parametrize("measure", [squared_distance_correlation, hsic])
def test_three_subjects_say_nothing_and_a_constant_block_depends_on_nothing(measure) -> None:
    assert measure(normal(3, 2), normal(3, 2)).item() == 0
    assert measure(torch.ones(9, 2), normal(9, 2)).item() == pytest.approx(0, abs=1e-6)


def test_a_queue_of_256_estimates_the_cohort_s_value_at_batch_size_four() -> None:
    means = normal(1200, 4, seed=4)
    means[:, 3] = 0.7 * means[:, 0] + 0.3 * means[:, 3]
    whole = squared_distance_correlation(means[:, :2], means[:, 2:]).item()
    queue, estimates = MeanQueue(256, 4), []
    for k, batch in enumerate(means.split(4)):
        joined = queue(batch.requires_grad_(), torch.arange(4 * k, 4 * k + 4))
        estimates.append(squared_distance_correlation(joined[:, :2], joined[:, 2:]))
    estimates[-1].backward()
    assert batch.grad is not None
    assert batch.grad.any()
    assert torch.stack(estimates[80:]).mean().item() == pytest.approx(whole, abs=0.05)
