"""The squared error averaged over voxels, and why it lets the code collapse."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from semivae_bundle.losses.fixed_noise import FixedNoiseReconstruction
from semivae_bundle.losses.kl import gaussian_kl


def test_two_observations_of_unit_noise_are_the_mean_squared_error_up_to_a_constant() -> None:
    image, drawn = torch.randn(2, 3, 4, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    drawn.requires_grad_()
    term, plain = (
        FixedNoiseReconstruction(2.0, 1.0)({"reconstruction": drawn}, {"image": image}),
        mse_loss(drawn, image),
    )
    assert term.item() == pytest.approx(plain.item() + math.log(2 * math.pi))
    torch.testing.assert_close(torch.autograd.grad(term, drawn), torch.autograd.grad(plain, drawn))


@pytest.mark.parametrize(("variance", "kept"), [(0.45, False), (0.55, True)])
def test_a_direction_is_kept_only_where_it_explains_more_than_half_a_unit_of_variance(variance, kept) -> None:
    # Exact expectations over image and noise, both of two values; the linear code g x, the linear decoder w z.
    image = variance**0.5 * torch.tensor([1.0, 1.0, -1.0, -1.0])
    noise = torch.tensor([1.0, -1.0, 1.0, -1.0])
    term = FixedNoiseReconstruction(2.0, 1.0)

    def loss(weights: Tensor) -> Tensor:
        mean = weights[0] * image
        drawn = (weights[1] * (mean + noise))[:, None].expand(-1, 8)
        kl = gaussian_kl(mean[:, None], torch.zeros(4, 1)).sum()
        return term({"reconstruction": drawn}, {"image": image[:, None].expand(-1, 8)}) + kl

    collapsed = torch.zeros(2)
    assert not torch.autograd.functional.jacobian(loss, collapsed).any()
    curvature = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, collapsed))
    assert (curvature.min() < 0).item() is kept


@pytest.mark.parametrize("options", [(0.0, 1.0), (2.0, -1.0)])
def test_a_scan_that_counts_nothing_or_noise_that_is_none_is_refused(options: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected observations > 0 and sigma > 0"):
        FixedNoiseReconstruction(*options)
