"""Linear read-outs of whole partitions, and the code that gives their features."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.cycle_consistency import CycleConsistency
from semivae_bundle.networks.grouped_heads import GroupedLinearHeads

PARTITION, FEATURES = {"vol": 8, "loc": 3, "shape": 4, "residual": 5}, {"vol": 3, "shape": 2}


def trained_heads() -> GroupedLinearHeads:
    torch.manual_seed(1)
    made = GroupedLinearHeads(PARTITION, FEATURES)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return made


def matrix(heads: GroupedLinearHeads) -> Tensor:
    jacobian = torch.autograd.functional.jacobian(lambda z: heads(z[None])[0], torch.randn(20))
    assert isinstance(jacobian, Tensor)
    return jacobian


def test_every_feature_reads_its_whole_partition_and_no_other() -> None:
    expected = torch.zeros(5, 20, dtype=torch.bool)
    expected[:3, 0:8] = True
    expected[3:, 11:15] = True
    assert torch.equal(matrix(trained_heads()) != 0, expected)


def test_fresh_features_are_independent_and_of_unit_variance_for_a_standard_normal_code() -> None:
    weight = matrix(GroupedLinearHeads(PARTITION, FEATURES))
    torch.testing.assert_close(weight @ weight.T, torch.eye(5))


def test_the_inverse_is_the_shortest_code_that_gives_the_features() -> None:
    heads, features = trained_heads(), torch.randn(6, 5)
    code = heads.inverse(features)
    torch.testing.assert_close(heads(code), features, atol=1e-5, rtol=1e-5)
    bias = torch.cat([head.bias for head in heads.heads])
    expected = (features - bias).double() @ torch.linalg.pinv(matrix(heads).double()).T
    torch.testing.assert_close(code.double(), expected, atol=1e-5, rtol=1e-5)
    assert not code[:, 8:11].any()
    assert not code[:, 15:].any()


def test_nearly_parallel_read_outs_are_still_told_apart_in_float32() -> None:
    heads, features = GroupedLinearHeads({"vol": 6}, {"vol": 2}), torch.randn(4, 2)
    weight = heads.heads[0].weight.data
    weight[1] = weight[0] + 1e-3 * weight[1]
    torch.testing.assert_close(heads(heads.inverse(features)), features, atol=2e-3, rtol=0)


def test_copies_of_a_feature_get_a_code_of_ordinary_length() -> None:
    heads = GroupedLinearHeads({"vol": 6}, {"vol": 2})
    weight = heads.heads[0].weight.data
    weight[1] = weight[0] + 1e-6 * weight[1]
    code = heads.inverse(torch.tensor([[1.0, 0.0]]))
    assert code.norm() < 2
    torch.testing.assert_close(heads(code), torch.tensor([[0.5, 0.5]]), atol=1e-3, rtol=0)


def test_the_inverse_outlives_scripting_and_bf16() -> None:
    heads, features = trained_heads(), torch.randn(2, 5)
    expected = heads.inverse(features)
    torch.testing.assert_close(torch.jit.script(heads).inverse(features), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(heads.inverse(features), expected)


def test_cycle_consistency_empties_what_the_heads_do_not_read() -> None:
    heads = trained_heads()
    term, mean = CycleConsistency(PARTITION, FEATURES, heads), heads.inverse(torch.randn(3, 5)).detach()
    assert term({"mean": mean, "features": heads(mean)}, {}).item() == pytest.approx(0, abs=1e-8)
    beside = torch.linalg.svd(heads.heads[1].weight.detach()).Vh[3]  # of length 1, read by no feature
    mean[:, 11:15] += beside
    assert term({"mean": mean, "features": heads(mean)}, {}).item() == pytest.approx(0.5, rel=1e-4)


def test_more_features_than_dimensions_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"'loc' has 3 dimensions, too few to tell 4 features apart; give it at least 4"
    ):
        GroupedLinearHeads(PARTITION, {"loc": 4})
