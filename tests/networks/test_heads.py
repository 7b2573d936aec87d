"""Which latent dimensions a feature reads."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.heads import MLPHeads, StructuredHeads, head_directions

PARTITION = {"vol": 8, "loc": 3, "shape": 4, "residual": 5}
FEATURES = {"vol": 2, "shape": 2}


def reads(heads: nn.Module) -> Tensor:
    """Which features depend on which dimensions, by gradient: (F, L) bool."""
    jacobian = torch.autograd.functional.jacobian(lambda z: heads(z[None])[0], torch.randn(20))
    assert isinstance(jacobian, Tensor)
    return jacobian != 0


def test_a_structured_feature_reads_its_own_dimensions_and_no_others() -> None:
    expected = torch.zeros(4, 20, dtype=torch.bool)
    for row, (start, stop) in enumerate([(0, 4), (4, 8), (11, 13), (13, 15)]):
        expected[row, start:stop] = True
    heads = StructuredHeads(PARTITION, FEATURES)
    assert torch.equal(reads(heads), expected)
    nn.init.ones_(heads.weight)
    assert torch.equal(reads(heads), expected)


def test_training_never_opens_a_closed_path() -> None:
    torch.manual_seed(0)
    heads = StructuredHeads(PARTITION, FEATURES)
    closed = reads(heads).logical_not()
    optimizer = torch.optim.AdamW(heads.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (heads(torch.randn(4, 20)) - 1).square().sum().backward()
        optimizer.step()
    assert torch.equal(reads(heads).logical_not(), closed)


def test_a_fresh_structured_feature_has_unit_variance_for_a_standard_normal_code() -> None:
    heads = StructuredHeads(PARTITION, FEATURES)
    torch.testing.assert_close((heads.weight * heads.mask).square().sum(dim=1), torch.ones(4))
    assert not heads.bias.any()


def test_mlp_features_read_their_whole_partition_and_no_other() -> None:
    torch.manual_seed(0)
    expected = torch.zeros(4, 20, dtype=torch.bool)
    expected[:2, 0:8] = True
    expected[2:, 11:15] = True
    assert torch.equal(reads(MLPHeads(PARTITION, FEATURES, hidden_size=7)), expected)


def test_features_follow_the_order_that_they_are_asked_in() -> None:
    heads = StructuredHeads(PARTITION, {"shape": 1, "vol": 1})
    found = reads(heads)
    assert found[0].nonzero().flatten().tolist() == [11, 12, 13, 14]
    assert found[1].nonzero().flatten().tolist() == list(range(8))


def test_features_that_cannot_share_a_partition_evenly_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'vol' has 8 dimensions, which 3 features cannot share .*multiple of 3"):
        StructuredHeads(PARTITION, {"vol": 3})
    assert MLPHeads(PARTITION, {"vol": 3}, hidden_size=4)(torch.zeros(1, 20)).shape == (1, 3)


@pytest.mark.parametrize("features", [{"volume": 1}, {}, {"vol": 0}])
def test_features_of_no_partition_are_refused(features: dict[str, int]) -> None:
    for build in (lambda: StructuredHeads(PARTITION, features), lambda: MLPHeads(PARTITION, features, 4)):
        with pytest.raises(ValueError, match="heads: expected a positive number of features for partitions among"):
            build()


def test_heads_without_a_hidden_unit_are_refused() -> None:
    with pytest.raises(ValueError, match="heads: hidden_size must be >= 1, found 0"):
        MLPHeads(PARTITION, {"vol": 1}, hidden_size=0)


TARGETS = {"vol": ["vol_total", "vol_et"], "shape": ["sphericity", "elongation"]}


def test_directions_are_what_the_heads_read_of_the_named_features() -> None:
    heads = StructuredHeads(PARTITION, FEATURES)
    nn.init.uniform_(heads.weight)
    found = head_directions(heads, PARTITION, TARGETS, ["elongation", "loc_x", "vol_total"])
    expected = torch.stack([(heads.weight * heads.mask)[3], torch.zeros(20), (heads.weight * heads.mask)[0]])
    torch.testing.assert_close(found, expected.detach())
    assert not found.requires_grad


def test_directions_of_curved_heads_are_those_near_the_code_zero() -> None:
    heads = MLPHeads(PARTITION, FEATURES, hidden_size=6)
    with torch.no_grad():
        found = head_directions(heads, PARTITION, TARGETS, ["sphericity"])
    step = 1e-3 * torch.nn.functional.normalize(found)
    risen = heads(step)[0, 2] - heads(torch.zeros(1, 20))[0, 2]
    torch.testing.assert_close(risen, (found * step).sum(), rtol=1e-2, atol=0)
