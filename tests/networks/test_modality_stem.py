"""Every modality read by itself before the fusion, and the encoder that takes such a stem."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.encoder import ResNetEncoder, check_stem, plain_stem
from semivae_bundle.networks.modality_stem import ModalityStem

FILTERS = 3


def a_stem(modalities: int = 4, out_channels: int = 8) -> ModalityStem:
    torch.manual_seed(0)
    return ModalityStem(modalities, FILTERS, out_channels, norm_groups=4)


def an_image() -> Tensor:
    return torch.randn(2, 4, 8, 12, 8, generator=torch.Generator().manual_seed(1))


def influence(layer: nn.Module, features: int) -> Tensor:
    """Largest gradient of each modality's share of `features` channels to each modality's image: (4, 4)."""
    image = an_image().requires_grad_()
    seen = layer(image)
    rows = []
    for i in range(4):
        # Squared and weighted: the sum of a normalised group hardly depends on anything.
        part = seen[:, i * features : (i + 1) * features]
        (gradient,) = torch.autograd.grad((part.square() * torch.rand_like(part)).sum(), image, retain_graph=True)
        rows.append(gradient.abs().amax(dim=(0, 2, 3, 4)))
    return torch.stack(rows)


def test_before_the_fusion_a_modality_s_features_depend_on_no_other_modality() -> None:
    found = influence(a_stem().separate, FILTERS)
    assert (found.diag() > 1e-3).all()
    assert not found[~torch.eye(4, dtype=torch.bool)].any()


def test_in_a_plain_stem_they_depend_on_all() -> None:
    torch.manual_seed(0)
    assert (influence(plain_stem(4, 4 * FILTERS, 4), FILTERS) > 1e-3).all()


def test_after_the_fusion_every_modality_counts() -> None:
    image = an_image().requires_grad_()
    a_stem()(image).square().sum().backward()
    assert (image.grad.abs().amax(dim=(0, 2, 3, 4)) > 1e-4).all()


def test_the_contrast_of_one_modality_changes_nothing() -> None:
    image, louder = an_image(), an_image()
    louder[:, 1] *= 10
    torch.testing.assert_close(a_stem()(louder), a_stem()(image), rtol=1e-3, atol=1e-3)


def test_an_encoder_takes_it_and_the_gradient_reaches_every_parameter_of_it() -> None:
    stem = a_stem(out_channels=4)
    encoder = ResNetEncoder(4, (16, 16, 16), 4, [1, 1], 4, pool_size=2, pool_channels=3, hidden_size=6, stem=stem)
    features, logits = encoder(torch.randn(2, 4, 16, 16, 16))
    assert encoder.stem is stem
    assert logits.shape == (2, 4, 16, 16, 16)
    ((features["appearance"] * torch.randn(2, 6)).sum() + logits.square().sum()).backward()
    assert [name for name, p in stem.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_torchscript_agrees() -> None:
    stem = a_stem().eval()
    torch.testing.assert_close(torch.jit.script(stem)(an_image()), stem(an_image()))


def test_the_plain_stem_keeps_the_names_that_checkpoints_have() -> None:
    encoder = ResNetEncoder(4, (16, 16, 16), 4, [1, 1], 4, pool_size=2, pool_channels=3, hidden_size=6)
    names = [name for name in encoder.state_dict() if name.startswith("stem.")]
    assert names == ["stem.0.weight", "stem.1.weight", "stem.1.bias"]


@pytest.mark.parametrize("stem", [a_stem(3, 8), a_stem(4, 4)])
def test_a_stem_of_other_channels_is_refused(stem: nn.Module) -> None:
    with pytest.raises(
        ValueError, match=r"a stem that takes \(1, 4, 8, 8, 8\) to \(1, 8, 4, 4, 4\), found .*in_channels"
    ):
        check_stem(stem, 4, 8)


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="found modalities=0, filters=3"):
        a_stem(modalities=0)
