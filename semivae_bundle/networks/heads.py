"""Latent partitions -> semantic features, in normalised units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import Float32Linear, float32_product
from semivae_bundle.networks.partition import partition_slices


def check_features(partition: Mapping[str, int], features: Mapping[str, int]) -> None:
    """Raise ValueError unless every feature belongs to a partition that there is."""
    unknown = [name for name in features if name not in partition]
    if unknown or not features or min(features.values()) < 1:
        raise ValueError(
            f"heads: expected a positive number of features for partitions among {list(partition)}, "
            f"found {dict(features)}"
        )


def check_room(partition: Mapping[str, int], features: Mapping[str, int]) -> None:
    """Raise ValueError unless the features of each partition can vary independently of each other."""
    check_features(partition, features)
    for name, count in features.items():
        if count > partition[name]:
            raise ValueError(
                f"heads: partition '{name}' has {partition[name]} dimensions, too few to tell {count} features apart; "
                f"give it at least {count}"
            )


def head_directions(
    heads: nn.Module, partition: Mapping[str, int], targets: Mapping[str, Sequence[str]], columns: Sequence[str]
) -> Tensor:
    """How what `heads` read of `columns` changes with the code, near the code 0: rows of the Jacobian, (columns, L).

    `targets`: the features of each partition, in the order in which the heads read them. A column that is none of them
    has a row of zeros.
    """
    read = [column for names in targets.values() for column in names]
    code = torch.zeros(1, sum(partition.values()), requires_grad=True)
    directions = torch.zeros(len(columns), code.shape[1])
    with torch.enable_grad():
        features = heads(code)[0]
        for row, column in enumerate(columns):
            if column in read:
                directions[row] = torch.autograd.grad(features[read.index(column)], code, retain_graph=True)[0][0]
    return directions


class StructuredHeads(nn.Module):
    """Each feature is an affine read-out of its own few latent dimensions: (B, L) -> (B, F).

    A partition of size P with k features gives feature j the dimensions [j P/k, (j+1) P/k) and no others, so a
    traversal of one feature moves known dimensions. Features come in the order of `features`, partition by partition.
    """

    def __init__(self, partition: Mapping[str, int], features: Mapping[str, int]) -> None:
        super().__init__()
        check_features(partition, features)
        slices = partition_slices(partition)
        mask = torch.zeros(sum(features.values()), sum(partition.values()))
        row = 0
        for name, count in features.items():
            share, rest = divmod(partition[name], count)
            if rest:
                raise ValueError(
                    f"heads: partition '{name}' has {partition[name]} dimensions, which {count} features cannot share "
                    f"evenly; make it a multiple of {count}"
                )
            for j in range(count):
                start = slices[name].start + j * share
                mask[row, start : start + share] = 1
                row += 1
        self.register_buffer("mask", mask, persistent=False)
        self.weight = nn.Parameter(mask / mask.sum(dim=1, keepdim=True).sqrt())
        self.bias = nn.Parameter(torch.zeros(row))

    def forward(self, latent: Tensor) -> Tensor:
        """(B, L) -> (B, F)."""
        return float32_product(latent, self.weight * self.mask) + self.bias  # type: ignore[operator]

    @torch.jit.export
    def inverse(self, features: Tensor) -> Tensor:
        """The code nearest to 0 that gives these features, 0 in partitions without any: (B, F) -> (B, L).

        Each row of weights has its own dimensions, so the pseudo-inverse is each row over its squared length.
        """
        weight = self.weight * self.mask  # type: ignore[operator]
        return float32_product(features - self.bias, (weight / weight.square().sum(dim=1, keepdim=True)).t())


class PartitionHeads(nn.Module):
    """A head for each partition with features, which sees that partition alone: (B, L) -> (B, F).

    `heads`: one (B, P) -> (B, count) for each entry of `features`, in their order.
    """

    def __init__(self, partition: Mapping[str, int], features: Mapping[str, int], heads: Iterable[nn.Module]) -> None:
        super().__init__()
        slices = partition_slices(partition)
        self.bounds = [(slices[name].start, slices[name].stop) for name in features]
        self.heads = nn.ModuleList(heads)

    def forward(self, latent: Tensor) -> Tensor:
        """(B, L) -> (B, F)."""
        outputs = []
        for i, head in enumerate(self.heads):
            start, stop = self.bounds[i]
            outputs.append(head(latent[:, start:stop]))
        return torch.cat(outputs, dim=1)


class MLPHeads(PartitionHeads):
    """One hidden layer per partition, shared by its features: (B, L) -> (B, F). More flexible, less readable."""

    def __init__(self, partition: Mapping[str, int], features: Mapping[str, int], hidden_size: int) -> None:
        check_features(partition, features)
        if hidden_size < 1:
            raise ValueError(f"heads: hidden_size must be >= 1, found {hidden_size}")
        heads = (
            nn.Sequential(Float32Linear(partition[name], hidden_size), nn.SiLU(), Float32Linear(hidden_size, count))
            for name, count in features.items()
        )
        super().__init__(partition, features, heads)
