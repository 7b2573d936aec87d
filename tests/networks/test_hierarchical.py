"""Learned priors of partitions given the earlier ones, and the network that uses them."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.losses.kl import gaussian_kl, in_units_of_prior
from semivae_bundle.networks.conditional_prior import ConditionalPrior
from semivae_bundle.networks.hierarchical import HierarchicalSemiVAE, PackedHierarchicalSemiVAE
from semivae_bundle.networks.packing import unpack
from semivae_bundle.networks.semivae import SemiVAE

PARTITION = {"vol": 4, "loc": 3, "residual": 5}
NOTHING = torch.zeros(12, dtype=torch.bool)
VOL = torch.arange(12) < 4


def a_prior(awake: bool = True) -> ConditionalPrior:
    torch.manual_seed(0)
    prior = ConditionalPrior(PARTITION, hidden_size=6, bound=5.0)
    if awake:
        for part in prior.parts:
            nn.init.normal_(part.mean.weight, std=0.5)
            nn.init.normal_(part.log_var.weight, std=0.2)
    return prior


PARTS = ("encoder", "posterior", "decorrelation", "heads", "decoder")


def hierarchical(flat: SemiVAE, prior: ConditionalPrior, kind: type = HierarchicalSemiVAE) -> HierarchicalSemiVAE:
    """A network of the parts of `flat`."""
    parts = {name: getattr(flat, name) for name in PARTS}
    return kind(prior, **parts).train(flat.training)


def noise(n: int = 7) -> Tensor:
    return torch.randn(n, 12, generator=torch.Generator().manual_seed(1))


def test_a_fresh_prior_is_the_standard_normal_whatever_the_latents() -> None:
    assert not any(value.any() for value in a_prior(awake=False)(noise()))


def test_a_prior_changes_with_the_partitions_before_it_and_nothing_else() -> None:
    prior = a_prior()
    for part, later in ((slice(0, 4), slice(4, 12)), (slice(4, 7), slice(7, 12)), (slice(7, 12), slice(12, 12))):
        moved = noise()
        moved[:, part] += 1
        changed = (torch.stack(prior(moved)) != torch.stack(prior(noise()))).any(dim=1)
        assert all(row.nonzero().flatten().tolist() == list(range(12))[later] for row in changed)


def test_means_and_log_variances_stay_within_the_bound() -> None:
    assert all(value.abs().max() <= 5 for value in a_prior()(1000 * noise()))


def test_a_wrong_option_of_the_prior_is_refused() -> None:
    with pytest.raises(ValueError, match=r"finite bound > 0, found hidden_size=6, bound=0\.0"):
        ConditionalPrior(PARTITION, hidden_size=6, bound=0.0)


def test_top_down_is_undone_by_its_own_noise() -> None:
    prior = a_prior()
    latent = prior.top_down(noise(), noise(), NOTHING)
    torch.testing.assert_close(prior.noise_of(latent), noise(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(prior.top_down(prior.noise_of(latent), latent, NOTHING), latent)


def test_a_value_set_for_the_volume_stays_set_and_moves_what_comes_after() -> None:
    prior, before = a_prior(), noise()
    after = prior.top_down(prior.noise_of(before), before + 1, VOL)
    assert torch.equal(after[:, :4], before[:, :4] + 1)
    assert (after[:, 4:] != before[:, 4:]).all()
    residual_set = prior.top_down(prior.noise_of(before), before + 1, torch.arange(12) >= 7)
    torch.testing.assert_close(residual_set[:, :7], before[:, :7])


def dependent(n: int = 2000) -> tuple[Tensor, Tensor]:
    """Posteriors whose location is the square of the first volume, and a little noise."""
    mean = torch.randn(n, 12, generator=torch.Generator().manual_seed(2))
    mean[:, 4:7] = mean[:, :1].square() - 1 + 0.1 * mean[:, 4:7]
    return mean, torch.full_like(mean, -4.0)


def test_on_the_kl_alone_a_prior_learns_a_dependence_that_its_samples_then_carry() -> None:
    torch.manual_seed(0)
    prior, (mean, log_var) = ConditionalPrior(PARTITION, hidden_size=32, bound=5.0), dependent()
    optimizer = torch.optim.Adam(prior.parameters(), 0.02)
    for _ in range(300):
        prior_mean, prior_log_var = prior(mean)
        given = {"mean": mean, "log_var": log_var, "prior_mean": prior_mean, "prior_log_var": prior_log_var}
        kl = gaussian_kl(*in_units_of_prior(given))
        optimizer.zero_grad()
        kl.sum().backward()
        optimizer.step()
    assert kl[4:7].sum() < 0.5 * gaussian_kl(mean, log_var)[4:7].sum()
    with torch.no_grad():
        drawn = prior.top_down(torch.randn(2000, 12), torch.zeros(2000, 12), NOTHING)
    pair = torch.stack([drawn[:, 0].square(), drawn[:, 4]])
    assert torch.corrcoef(pair)[0, 1] > 0.9


def test_a_fresh_network_says_exactly_what_the_flat_one_says(make_network, image: Tensor) -> None:
    flat, network = make_network(), hierarchical(make_network(), a_prior(awake=False))
    for mode in (True, False):
        outputs = []
        for one in (flat.train(mode), network.train(mode)):
            torch.manual_seed(3)
            outputs.append(one(image))
        assert set(outputs[1]) - set(outputs[0]) == {"added", "prior_mean", "prior_log_var"}
        for name, value in outputs[0].items():
            assert torch.equal(outputs[1][name], value), name


def test_the_posterior_lies_at_the_prior_of_its_own_latents_plus_what_the_scan_adds(
    make_network, image: Tensor
) -> None:
    network = hierarchical(make_network(), a_prior())
    network.decorrelation.eval()
    output, (added, added_log_var, _, _) = network(image), network.bottom_up(image)
    expected = network.prior(output["latent"])
    torch.testing.assert_close((output["prior_mean"], output["prior_log_var"]), expected)
    torch.testing.assert_close(output["mean"] - expected[0], added)
    torch.testing.assert_close(output["log_var"] - expected[1], added_log_var)


def test_evaluation_conditions_on_means_as_encoding_does_in_every_mode(make_network, image: Tensor) -> None:
    network = hierarchical(make_network(), a_prior())
    network.decorrelation.eval()
    mean = network.encode(image)[0]
    output = network.eval()(image)
    assert torch.equal(output["mean"], output["latent"])
    torch.testing.assert_close(output["mean"], mean)


def test_the_gradient_reaches_every_parameter_of_prior_and_posterior(make_network, image: Tensor) -> None:
    network = hierarchical(make_network(), a_prior())
    (network(image)["latent"] * torch.randn(2, 12)).sum().backward()
    chosen = [(name, p) for name, p in network.named_parameters() if name.startswith(("prior", "posterior"))]
    assert [name for name, p in chosen if p.grad is None or not p.grad.any()] == []


def test_torchscript_of_the_hierarchy_agrees_with_eager_execution(make_network, image: Tensor) -> None:
    network = hierarchical(make_network(), a_prior()).eval()
    scripted = torch.jit.script(network)
    with torch.no_grad():
        torch.testing.assert_close(scripted(image), network(image))
        arguments = (noise(), noise() + 1, VOL)
        torch.testing.assert_close(scripted.prior.top_down(*arguments), network.prior.top_down(*arguments))


def test_the_packed_hierarchy_takes_the_trained_weights_and_says_the_same(make_network, image: Tensor) -> None:
    trained = hierarchical(make_network(), a_prior()).eval()
    packed = hierarchical(make_network(), a_prior(awake=False), PackedHierarchicalSemiVAE).eval()
    packed.load_state_dict(trained.state_dict())
    with torch.no_grad():
        expected, found = trained(image), torch.jit.script(packed)(image)
    for name in ("mean", "log_var", "features", "reconstruction"):
        torch.testing.assert_close(getattr(unpack(found[0], 4, 4), name), expected[name][0])


def test_what_the_volume_tells_of_the_location_moves_from_the_posterior_into_the_prior() -> None:
    torch.manual_seed(0)
    parts = {name: nn.Identity() for name in PARTS}
    network, (wanted, _) = HierarchicalSemiVAE(ConditionalPrior(PARTITION, 32, 5.0), **parts), dependent(300)
    added, log_var = nn.Parameter(wanted.clone()), nn.Parameter(torch.full_like(wanted, -3.0))
    optimizer = torch.optim.Adam([added, log_var, *network.prior.parameters()], 0.02)
    for _ in range(400):
        code = network.descend(added, log_var, torch.randn_like(added))
        kl = gaussian_kl(*in_units_of_prior(code))
        misfit = (code["latent"] - wanted).square().sum(dim=1).mean() / (2 * 0.2**2)
        optimizer.zero_grad()
        (misfit + kl.sum()).backward()
        optimizer.step()
    assert kl[4:7].sum() < 0.4 * gaussian_kl(code["mean"], code["log_var"])[4:7].sum()
    assert added[:, 4:7].std() < 0.8 * wanted[:, 4:7].std()
