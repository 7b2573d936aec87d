"""The coarse decoder that reads one partition."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d

from semivae_bundle.losses.coarse_reconstruction import CoarseReconstruction

PARTITION = {"vol": 2, "residual": 3}
NUMBERS = 4 * 2**3


def a_term(
    decoder: nn.Module | None = None, block: str = "residual", outside_weight: float = 0.1
) -> CoarseReconstruction:
    torch.manual_seed(0)
    return CoarseReconstruction(PARTITION, block, decoder or nn.Linear(3, NUMBERS), 2, 20.0, outside_weight)


def a_batch() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(3, 5, generator=generator).requires_grad_()
    return {"latent": latent}, {
        "image": torch.randn(3, 4, 8, 8, 8, generator=generator),
        "brain": torch.ones(3, 1, 8, 8, 8),
    }


class Known(nn.Module):
    """Draws `image` whatever it is given."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image

    def forward(self, z: Tensor) -> Tensor:
        return self.image.flatten(1)


def test_an_image_off_by_a_tenth_everywhere_has_that_noise_scale() -> None:
    output, target = a_batch()
    term = a_term(Known(avg_pool3d(target["image"], 4) + 0.1))
    expected = 10.0 * (math.log(2 * math.pi * 0.01) + 1)
    assert term(output, target).item() == pytest.approx(expected, rel=1e-4)


def test_the_gradient_reaches_the_residual_alone_and_the_decoder_s_own_parameters() -> None:
    (output, target), term = a_batch(), a_term()
    term(output, target).backward()
    grad = output["latent"].grad
    assert grad is not None
    assert grad.any(dim=0).tolist() == [False, False, True, True, True]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in term.parameters())


@pytest.mark.parametrize("outside_weight", [0.0, 1.0])
def test_what_lies_beyond_the_brain_counts_by_its_weight(outside_weight: float) -> None:
    output, target = a_batch()
    target["brain"][:, :, :4] = 0
    drawn = avg_pool3d(target["image"], 4) + 0.1
    drawn[:, :, 0] += 1.0
    value = a_term(Known(drawn), outside_weight=outside_weight)(output, target).item()
    mse = 0.01 if outside_weight == 0 else (0.01 + 1.21) / 2
    assert value == pytest.approx(10.0 * (math.log(2 * math.pi * mse) + 1), rel=1e-4)


def test_it_learns_the_anatomy_that_the_residual_holds() -> None:
    (output, target), term = a_batch(), a_term()
    optimizer = torch.optim.Adam(term.parameters(), lr=0.05)
    first = term(output, target).item()
    for _ in range(100):
        optimizer.zero_grad()
        term(output, target).backward()
        optimizer.step()
    assert term(output, target).item() < first - 20


def test_a_block_that_does_not_exist_and_a_decoder_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a block among \['vol', 'residual'\], found 'shape'"):
        a_term(block="shape")
    with pytest.raises(ValueError, match="expected a decoder to 32 numbers, 4 channels of 2³ cells, found 31"):
        a_term(nn.Linear(3, 31))(*a_batch())
