"""Features as coordinates of their partition."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.invertible_heads import InvertibleHeads

PARTITION, FEATURES = {"vol": 8, "loc": 3, "shape": 4, "residual": 5}, {"vol": 3, "shape": 2}

# Features drawn at random lead to codes that no training saw, where the map may be steep: it multiplies the rounding of
# the code.
STEEP = 5e-4


def heads_of(features: dict[str, int] = FEATURES) -> InvertibleHeads:
    return InvertibleHeads(PARTITION, features, layers=4, hidden_size=12, max_log_scale=1.0)


def trained_heads() -> InvertibleHeads:
    """After steps on a task that needs bent read-outs."""
    torch.manual_seed(0)
    made, codes = heads_of(), torch.randn(64, 20)
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        (made(codes) - torch.sin(2 * codes[:, [7, 1, 5, 13, 11]])).square().mean().backward()
        optimizer.step()
    return made


def test_a_fresh_feature_is_a_dimension_of_its_partition() -> None:
    z = torch.randn(4, 20)
    assert torch.equal(heads_of()(z), z[:, [0, 1, 2, 11, 12]])
    assert torch.equal(heads_of({"shape": 1, "vol": 1})(z), z[:, [11, 0]])


def test_the_jacobian_is_block_diagonal_over_partitions_and_full_within() -> None:
    made = trained_heads()

    def both(z: Tensor) -> Tensor:
        return torch.cat([made(z[None]), made.complement(z[None])], dim=1)[0]

    found = torch.autograd.functional.jacobian(both, torch.randn(20))
    expected = torch.zeros(12, 20, dtype=torch.bool)
    expected[[0, 1, 2, 5, 6, 7, 8, 9], 0:8] = True
    expected[[3, 4, 10, 11], 11:15] = True
    assert torch.equal(found != 0, expected)


def test_a_code_comes_back_from_its_features_and_what_it_keeps() -> None:
    made, z = trained_heads(), torch.randn(50, 20)
    assert (made(z) - z[:, [0, 1, 2, 11, 12]]).abs().max() > 0.3
    torch.testing.assert_close(made.with_features(z, made(z)), z, atol=1e-5, rtol=0)


def test_the_inverse_has_the_features_and_no_complement() -> None:
    made, features = trained_heads(), torch.randn(50, 5)
    code = made.inverse(features)
    torch.testing.assert_close(made(code), features, atol=STEEP, rtol=0)
    assert made.complement(code).abs().max() < STEEP
    assert not code[:, 8:11].any()
    assert not code[:, 15:].any()


def test_new_features_leave_the_complement_and_the_other_partitions_as_they_are() -> None:
    made, z, features = trained_heads(), torch.randn(50, 20), torch.randn(50, 5)
    moved = made.with_features(z, features)
    torch.testing.assert_close(made(moved), features, atol=STEEP, rtol=0)
    torch.testing.assert_close(made.complement(moved), made.complement(z), atol=STEEP, rtol=0)
    assert torch.equal(moved[:, 8:11], z[:, 8:11])
    assert torch.equal(moved[:, 15:], z[:, 15:])


def test_all_three_methods_outlive_scripting() -> None:
    made, z, features = trained_heads(), torch.randn(2, 20), torch.randn(2, 5)
    scripted = torch.jit.script(made)
    torch.testing.assert_close(scripted(z), made(z))
    torch.testing.assert_close(scripted.inverse(features), made.inverse(features))
    torch.testing.assert_close(scripted.with_features(z, features), made.with_features(z, features))
    torch.testing.assert_close(scripted.complement(z), made.complement(z))


def test_autocast_rounds_nothing() -> None:
    made, z = trained_heads(), torch.randn(2, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(made(z), trained_heads()(z))


def test_a_partition_smaller_than_its_features_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'loc' has 3 dimensions, too few to tell 4 features apart"):
        heads_of({"loc": 4})
