import numpy as np
import pytest
import torch

from semivae_bundle.evaluation.traversal_codes import codes_along, nearest_change, no_usual_change, usual_change
from semivae_bundle.networks.heads import MLPHeads, StructuredHeads
from semivae_bundle.networks.invertible_heads import InvertibleHeads

PARTITION, FEATURES = {"vol": 4, "loc": 6, "residual": 3}, {"vol": 2, "loc": 1}


@pytest.fixture
def heads() -> StructuredHeads:
    torch.manual_seed(0)
    heads = StructuredHeads(PARTITION, FEATURES)
    torch.nn.init.normal_(heads.weight)
    return heads


def test_one_head_says_what_was_asked_and_the_others_what_they_said(heads: StructuredHeads) -> None:
    mean, values = torch.randn(13), torch.tensor([-1.0, 0.0, 2.0])
    codes, asked = codes_along(heads, nearest_change(heads), mean, {1: values})
    torch.testing.assert_close(heads(codes).detach(), asked)
    torch.testing.assert_close(asked[:, 1], values)
    torch.testing.assert_close(asked[:, [0, 2]], heads(mean[None])[:, [0, 2]].detach().expand(3, 2))


def test_the_change_is_the_smallest_that_does_it(heads: StructuredHeads) -> None:
    mean = torch.randn(13)
    change = codes_along(heads, nearest_change(heads), mean, {0: torch.tensor([1.5])})[0][0] - mean
    row = (heads.weight * heads.mask)[0].detach()
    wanted = 1.5 - heads(mean[None])[0, 0].item()
    # Along the row of weights, so that its length is the wanted change over the row's.
    assert float(change.norm()) == pytest.approx(abs(wanted) / float(row.norm()), rel=1e-4)
    assert change[10:].abs().max() == 0


def test_several_heads_move_at_once(heads: StructuredHeads) -> None:
    mean, values = torch.randn(13), {2: torch.tensor([1.0, 2.0]), 0: torch.tensor([0.0, -1.0])}
    codes, _ = codes_along(heads, nearest_change(heads), mean, values)
    torch.testing.assert_close(heads(codes)[:, [2, 0]].detach(), torch.tensor([[1.0, 0.0], [2.0, -1.0]]))


def test_heads_without_an_inverse_are_refused() -> None:
    with pytest.raises(ValueError, match="heads with an `inverse`, as StructuredHeads has, found MLPHeads"):
        nearest_change(MLPHeads(PARTITION, FEATURES, 8))


def test_a_change_that_belongs_to_other_heads_is_told(heads: StructuredHeads) -> None:
    heads.inverse = lambda features: 2 * torch.ones(len(features), 13) * features[:, :1]  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="the change of the code does not belong to it"):
        codes_along(heads, nearest_change(heads), torch.zeros(13), {0: torch.tensor([3.0])})


@pytest.fixture
def cohort(heads: StructuredHeads) -> tuple[np.ndarray, np.ndarray]:
    """Codes whose first two dimensions are all but mirrored copies, and what the heads say of them."""
    heads.weight.data[0, :2] = torch.tensor([1.0, 0.3])
    codes = np.random.default_rng(0).normal(size=(500, 13))
    codes[:, 1] = -codes[:, 0] + 0.05 * codes[:, 1]
    return codes, heads(torch.from_numpy(codes).float()).detach().double().numpy()


def test_the_usual_change_also_says_what_was_asked_and_nothing_else(
    heads: StructuredHeads, cohort: tuple[np.ndarray, np.ndarray]
) -> None:
    mean, values = torch.randn(13), torch.tensor([-1.0, 2.0])
    codes, asked = codes_along(heads, usual_change(*cohort), mean, {1: values})
    torch.testing.assert_close(heads(codes).detach(), asked, atol=1e-4, rtol=1e-4)


def test_the_usual_change_goes_where_codes_vary_and_the_nearest_where_they_need_not(
    heads: StructuredHeads, cohort: tuple[np.ndarray, np.ndarray]
) -> None:
    mean, values = torch.zeros(13), {0: torch.tensor([1.0])}
    precision = np.linalg.inv(np.cov(cohort[0].T))
    usual, nearest = (
        codes_along(heads, change, mean, values)[0][0].double().numpy()
        for change in (usual_change(*cohort), nearest_change(heads))
    )
    assert usual[1] == pytest.approx(-usual[0], rel=0.1)
    assert usual @ precision @ usual < 0.05 * nearest @ precision @ nearest
    assert np.linalg.norm(nearest) <= np.linalg.norm(usual)


def test_too_few_scans_for_the_usual_change_are_told(cohort: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="usual direction: 8 encoded scans; at least 9 are needed for 3 heads"):
        usual_change(cohort[0][:8], cohort[1][:8])


def test_invertible_heads_keep_the_rest_of_each_partition() -> None:
    torch.manual_seed(0)
    heads, mean = InvertibleHeads(PARTITION, FEATURES, layers=4, hidden_size=8, max_log_scale=1.0), torch.randn(13)
    for flow in heads.flows:
        for parameter in flow.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    codes, asked = codes_along(heads, nearest_change(heads), mean, {1: torch.tensor([-1.0, 2.0])})
    torch.testing.assert_close(heads(codes).detach(), asked, atol=1e-4, rtol=0)
    held = heads.complement(mean[None]).detach().expand(2, -1)
    torch.testing.assert_close(heads.complement(codes).detach(), held, atol=1e-4, rtol=0)
    assert "InvertibleHeads are not affine" in str(no_usual_change(heads, np.zeros((500, 3))))
