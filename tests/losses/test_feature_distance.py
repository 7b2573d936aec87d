"""Distance in the features of a frozen network."""

import torch
from torch import Tensor, nn

from semivae_bundle.losses.feature_distance import FeatureDistance, normalised_distance


class Pyramid(nn.Module):
    """Two maps, with batch statistics that training mode would move."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv3d(1, 3, 3), nn.BatchNorm3d(3), nn.ReLU())
        self.second = nn.Conv3d(3, 2, 3)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.first(x)
        return [x, self.second(x)]


def scans(seed: int) -> Tensor:
    return torch.randn(2, 4, 8, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_the_distance_is_0_for_parallel_features_2_for_orthogonal_and_4_for_opposite_ones() -> None:
    x = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1, 1)
    for other, expected in ((3 * x, 0.0), (x.flip(1), 2.0), (-x, 4.0)):
        torch.testing.assert_close(normalised_distance(x, other), torch.tensor(expected))


def test_equal_images_are_at_distance_0_and_the_gradient_reaches_the_image_alone() -> None:
    term = FeatureDistance(Pyramid(), 10.0)
    drawn = scans(1).requires_grad_()
    term({"reconstruction": drawn}, {"image": scans(0)}).backward()
    assert drawn.grad is not None
    assert drawn.grad.flatten(2).any(dim=2).all()
    assert all(p.grad is None for p in term.parameters())
    assert term({"reconstruction": scans(0)}, {"image": scans(0)}).item() == 0


def test_every_modality_is_seen_by_itself_and_all_count_alike() -> None:
    term = FeatureDistance(Pyramid(), 1.0)
    x, y = scans(0), scans(1)
    whole = term({"reconstruction": x}, {"image": y})
    apart = [term({"reconstruction": x[:, c : c + 1]}, {"image": y[:, c : c + 1]}) for c in range(4)]
    torch.testing.assert_close(whole, torch.stack(apart).mean())


def test_training_leaves_the_network_frozen() -> None:
    term = FeatureDistance(Pyramid(), 1.0).train()
    before = {name: value.clone() for name, value in term.state_dict().items()}
    term({"reconstruction": scans(0)}, {"image": scans(1)})
    assert all(torch.equal(before[name], value) for name, value in term.state_dict().items())


def test_a_network_of_one_map_will_do() -> None:
    term = FeatureDistance(nn.Conv3d(1, 2, 3), 1.0)
    assert term({"reconstruction": scans(0)}, {"image": scans(1)}) > 0
