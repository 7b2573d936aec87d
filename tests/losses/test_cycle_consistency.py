"""What measured partitions hold beyond their features."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.losses.cycle_consistency import CycleConsistency
from semivae_bundle.networks.heads import MLPHeads, StructuredHeads
from semivae_bundle.networks.invertible_heads import InvertibleHeads

PARTITION = {"vol": 4, "loc": 3, "residual": 5}
FEATURES = {"vol": 2, "loc": 1}


def heads() -> StructuredHeads:
    made = StructuredHeads(PARTITION, FEATURES)
    with torch.no_grad():
        made.weight.copy_(torch.randn(3, 12, generator=torch.Generator().manual_seed(1)))
        made.bias.copy_(torch.tensor([0.3, -1.0, 2.0]))
    return made


def cost(of: StructuredHeads, mean: Tensor) -> Tensor:
    value: Tensor = CycleConsistency(PARTITION, FEATURES, of)({"mean": mean, "features": of(mean)}, {})
    return value


def test_the_inverse_gives_the_features_back_and_is_the_shortest_code_that_does() -> None:
    made, features = heads(), torch.randn(6, 3)
    code = made.inverse(features)
    torch.testing.assert_close(made(code), features)
    weight = (made.weight * made.mask).double()
    expected = (features - made.bias).double() @ torch.linalg.pinv(weight).T
    torch.testing.assert_close(code.double(), expected, atol=1e-5, rtol=1e-5)


def test_a_code_that_is_its_features_costs_nothing() -> None:
    made = heads()
    mean = made.inverse(torch.randn(6, 3))
    mean[:, 7:] = torch.randn(6, 5)
    assert cost(made, mean).item() == pytest.approx(0, abs=1e-9)


def test_it_is_half_the_squared_distance_in_the_measured_partitions() -> None:
    made, mean = heads(), torch.randn(6, 12)
    again = made.inverse(made(mean))
    torch.testing.assert_close(cost(made, mean), 0.5 * (mean - again)[:, :7].square().sum(dim=1).mean())


def test_following_it_empties_the_partition_and_leaves_the_predictions_as_they_are() -> None:
    made, mean = heads(), torch.randn(6, 12).requires_grad_()
    before = made(mean).detach()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(6 * cost(made, mean), mean)
        mean = (mean - 0.2 * gradient).detach().requires_grad_()
    assert cost(made, mean) < 1e-6
    torch.testing.assert_close(made(mean), before, atol=1e-4, rtol=1e-4)


def test_the_heads_get_no_gradient_and_stay_out_of_the_objective() -> None:
    made = heads()
    term = CycleConsistency(PARTITION, FEATURES, made)
    mean = torch.randn(6, 12, requires_grad=True)
    term({"mean": mean, "features": made(mean)}, {}).backward()
    assert made.weight.grad is None
    assert list(term.parameters()) == []


def test_heads_without_an_inverse_are_refused() -> None:
    with pytest.raises(ValueError, match="heads with an inverse, such as StructuredHeads, found MLPHeads"):
        CycleConsistency(PARTITION, FEATURES, MLPHeads(PARTITION, FEATURES, 4))


def test_bent_heads_whose_predictions_it_would_move_are_refused() -> None:
    bent = InvertibleHeads(PARTITION, FEATURES, layers=2, hidden_size=4, max_log_scale=1.0)
    with pytest.raises(
        ValueError, match=r"heads that are affine, .* found InvertibleHeads .* leave out invertible_heads"
    ):
        CycleConsistency(PARTITION, FEATURES, bent)


def test_the_inverse_outlives_scripting() -> None:
    made, features = heads(), torch.randn(2, 3)
    scripted: nn.Module = torch.jit.script(made)
    torch.testing.assert_close(scripted.inverse(features), made.inverse(features))
