"""A bijection that undoes itself."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.coupling import AffineCoupling, CouplingFlow


def a_flow(size: int = 6, layers: int = 4, spread: float = 0.2) -> CouplingFlow:
    torch.manual_seed(size)
    flow = CouplingFlow(size, layers, hidden_size=16, max_log_scale=1.0)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return flow


def jacobian(flow: CouplingFlow, x: Tensor) -> Tensor:
    found = torch.autograd.functional.jacobian(lambda z: flow(z[None])[0], x)
    assert isinstance(found, Tensor)
    return found


def test_a_fresh_flow_is_the_identity() -> None:
    x = torch.randn(5, 7)
    assert torch.equal(CouplingFlow(7, 4, 8, 1.0)(x), x)


@pytest.mark.parametrize("size", [1, 2, 7, 16])
def test_the_inverse_undoes_the_flow_both_ways(size: int) -> None:
    flow, x = a_flow(size), torch.randn(50, size)
    assert (flow(x) - x).abs().max() > 0.1
    torch.testing.assert_close(flow.inverse(flow(x)), x, atol=1e-5, rtol=0)
    torch.testing.assert_close(flow(flow.inverse(x)), x, atol=1e-5, rtol=0)


def test_every_output_depends_on_every_input_from_three_layers_on() -> None:
    x = torch.randn(6)
    assert (jacobian(a_flow(layers=3), x) != 0).all()
    assert not (jacobian(a_flow(layers=2), x) != 0).all()


def test_a_coupling_changes_what_it_does_not_read() -> None:
    torch.manual_seed(0)
    layer, x = AffineCoupling(torch.tensor([1, 0, 1]), 8, 1.0), torch.randn(4, 3)
    torch.nn.init.normal_(layer.out.weight)
    log_scale, shift = layer.log_scale_and_shift(x)
    torch.testing.assert_close(layer(x), x * log_scale.exp() + shift)
    assert torch.equal(layer(x)[:, [0, 2]], x[:, [0, 2]])
    assert (layer(x)[:, 1] != x[:, 1]).all()


def test_the_log_scale_stays_within_its_bound_however_large_the_weights() -> None:
    layer = AffineCoupling(torch.tensor([1, 0, 1, 0]), 8, 0.7)
    torch.nn.init.constant_(layer.out.weight, 1e3)
    log_scale, _ = layer.log_scale_and_shift(1e3 * torch.randn(20, 4))
    assert log_scale.abs().max() <= 0.7
    assert log_scale.abs().max() > 0.6


def test_sizes_that_make_no_flow_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"max_log_scale > 0, found size=3, layers=0, hidden_size=4, max_log_scale=1.0"
    ):
        CouplingFlow(3, 0, 4, 1.0)
