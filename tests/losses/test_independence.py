"""The price of saying a thing twice, and its gradient."""

import torch

from semivae_bundle.losses.independence import explained_nats


def a_projection(size: int, rank: int) -> torch.Tensor:
    basis, _ = torch.linalg.qr(torch.randn(size, rank, generator=torch.Generator().manual_seed(0)))
    return basis @ basis.T


def test_nothing_explained_costs_nothing() -> None:
    mean = torch.randn(5, 4, requires_grad=True)
    value = explained_nats(mean, torch.zeros(5, 4))
    value.backward()
    assert value.item() == 0.0
    assert mean.grad is not None
    assert not mean.grad.any()


def test_the_price_is_what_the_prior_charges_for_that_part_of_the_mean() -> None:
    explained = torch.tensor([[1.0, 2.0], [0.0, 4.0]])
    assert explained_nats(torch.randn(2, 2), explained).item() == (0.5 * 5 + 0.5 * 16) / 2


def test_the_gradient_is_that_of_the_squared_projection_of_the_raw_means() -> None:
    projection, raw = a_projection(6, 2), torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
    direct, surrogate = raw.clone().requires_grad_(), raw.clone().requires_grad_()
    (0.5 * (direct @ projection).square().sum(dim=1).mean()).backward()
    explained = surrogate.detach() @ projection
    explained_nats(surrogate - explained, explained).backward()
    torch.testing.assert_close(surrogate.grad, direct.grad)
