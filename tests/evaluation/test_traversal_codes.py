import pytest
import torch

from semivae_bundle.evaluation.traversal_codes import codes_along
from semivae_bundle.networks.heads import MLPHeads, StructuredHeads

PARTITION, FEATURES = {"vol": 4, "loc": 6, "residual": 3}, {"vol": 2, "loc": 1}


@pytest.fixture
def heads() -> StructuredHeads:
    torch.manual_seed(0)
    heads = StructuredHeads(PARTITION, FEATURES)
    torch.nn.init.normal_(heads.weight)
    return heads


def test_one_head_says_what_was_asked_and_the_others_what_they_said(heads: StructuredHeads) -> None:
    mean, values = torch.randn(13), torch.tensor([-1.0, 0.0, 2.0])
    codes, asked = codes_along(heads, mean, {1: values})
    torch.testing.assert_close(heads(codes).detach(), asked)
    torch.testing.assert_close(asked[:, 1], values)
    torch.testing.assert_close(asked[:, [0, 2]], heads(mean[None])[:, [0, 2]].detach().expand(3, 2))


def test_the_change_is_the_smallest_that_does_it(heads: StructuredHeads) -> None:
    mean = torch.randn(13)
    change = codes_along(heads, mean, {0: torch.tensor([1.5])})[0][0] - mean
    row = (heads.weight * heads.mask)[0].detach()
    wanted = 1.5 - heads(mean[None])[0, 0].item()
    # Along the row of weights, so that its length is the wanted change over the row's.
    assert float(change.norm()) == pytest.approx(abs(wanted) / float(row.norm()), rel=1e-4)
    assert change[10:].abs().max() == 0


def test_several_heads_move_at_once(heads: StructuredHeads) -> None:
    mean, values = torch.randn(13), {2: torch.tensor([1.0, 2.0]), 0: torch.tensor([0.0, -1.0])}
    codes, _ = codes_along(heads, mean, values)
    torch.testing.assert_close(heads(codes)[:, [2, 0]].detach(), torch.tensor([[1.0, 0.0], [2.0, -1.0]]))


def test_heads_without_an_inverse_are_refused() -> None:
    with pytest.raises(ValueError, match="heads with an `inverse`, as StructuredHeads has, found MLPHeads"):
        codes_along(MLPHeads(PARTITION, FEATURES, 8), torch.zeros(13), {0: torch.ones(2)})


def test_an_inverse_that_belongs_to_other_heads_is_told(heads: StructuredHeads) -> None:
    heads.inverse = lambda features: 2 * torch.ones(len(features), 13) * features[:, :1]  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="its `inverse` does not belong to it"):
        codes_along(heads, torch.zeros(13), {0: torch.tensor([3.0])})
