"""Named features -> mean and log-variance of each partition."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.posterior import LOG_VAR_START, MAX_LOG_VAR, Posterior

SIZES = {"size": 4, "place": 12, "appearance": 9}
OPTIONS: dict[str, Any] = {
    "feature_sizes": SIZES,
    "partition": {"vol": 4, "residual": 5},
    "latent_size": 9,
    "reads": {"vol": ["size"], "residual": ["appearance", "place"]},
    "hidden_size": 6,
    "min_log_var": -6.0,
}


def a_posterior(**options: Any) -> Posterior:
    torch.manual_seed(0)
    return Posterior(**{**OPTIONS, **options})


def some_features(n: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(n, size, generator=generator) for name, size in SIZES.items()}


def test_partitions_stand_in_their_order_whatever_that_of_reads() -> None:
    turned = dict(reversed(OPTIONS["reads"].items()))
    for found, expected in zip(a_posterior(reads=turned)(some_features()), a_posterior()(some_features()), strict=True):
        assert found.shape == (2, 9)
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("name", "moved"), [("size", slice(0, 4)), ("place", slice(4, 9)), ("appearance", slice(4, 9))]
)
def test_a_partition_changes_with_what_it_reads_and_nothing_else(name: str, moved: slice) -> None:
    posterior, features = a_posterior(), some_features()
    before = torch.cat(posterior(features), dim=1).detach()
    features[name] = features[name] + 1
    changed = (torch.cat(posterior(features), dim=1) != before).any(dim=0)
    for half in (changed[:9], changed[9:]):
        assert half.nonzero().flatten().tolist() == list(range(9))[moved]


def test_no_two_fresh_dimensions_are_copies_of_each_other() -> None:
    mean = a_posterior()(some_features(200))[0]
    correlation = torch.corrcoef(mean.T) - torch.eye(9)
    assert correlation.abs().max() < 0.999
    assert 0.3 < mean.std() < 5


def test_a_fresh_posterior_is_narrow() -> None:
    assert a_posterior()(some_features(200))[1].mean().item() == pytest.approx(LOG_VAR_START, abs=0.3)


@pytest.mark.parametrize(("bias", "expected"), [(-100.0, -6.0), (100.0, MAX_LOG_VAR), (-2.0, -2.0)])
def test_the_log_variance_is_bounded_on_both_sides(bias: float, expected: float) -> None:
    posterior = a_posterior()
    for part in posterior.parts:
        nn.init.zeros_(part.log_var.weight)
        nn.init.constant_(part.log_var.bias, bias)
    assert posterior(some_features())[1].unique().tolist() == [expected]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reads": {"vol": ["mass"], "residual": ["place"]}}, r"read some of \['size', .*\], found \['mass'\]"),
        ({"reads": {"vol": [], "residual": ["place"]}}, "found \\[\\]"),
        ({"reads": {"vol": ["size"]}}, r"one entry for each of \['vol', 'residual'\], found \['vol'\]"),
        ({"hidden_size": 0}, "hidden_size must be >= 1, found 0"),
        ({"latent_size": 10}, "add up to 9"),
        ({"min_log_var": 7.0}, "a finite min_log_var below 6.0, found 7.0"),
        ({"min_log_var": float("nan")}, "a finite min_log_var below 6.0, found nan"),
        ({"reads": {"vol": ["size", "size"], "residual": ["place"]}}, "every feature once .*'size', 'size'"),
    ],
)
def test_a_wrong_option_is_refused_with_what_was_found(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        a_posterior(**options)


def test_what_an_encoder_adds_has_to_be_read() -> None:
    sizes = {"size": 2, "appearance": 3, "outline": 4}
    with pytest.raises(ValueError, match=r"adds \['outline'\], which no partition reads"):
        Posterior(sizes, {"vol": 2}, 2, {"vol": ["size"]}, hidden_size=3, min_log_var=-6.0)
