"""Named slices of the latent vector: the only index arithmetic in the project."""

from __future__ import annotations

from collections.abc import Mapping


def partition_slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    """Place the partitions one after another, in the order given.

    `sizes`: dimensions per partition, e.g. {"vol": 16, "loc": 12, "shape": 24, "residual": 76}.
    Returns the slice of each in a (B, sum(sizes)) latent. Raises ValueError for a size below 1 or an empty mapping.
    """
    if not sizes:
        raise ValueError("partition: expected at least one named size such as {'vol': 16, ...}, found none")
    slices, start = {}, 0
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"partition '{name}': expected a whole number of dimensions >= 1, found {size!r}")
        slices[name] = slice(start, start + size)
        start += size
    return slices


def check_partition(sizes: Mapping[str, int], latent_size: int) -> None:
    """Raise ValueError unless the partition sizes add up to `latent_size`."""
    total = sum(part.stop - part.start for part in partition_slices(sizes).values())
    if total != latent_size:
        parts = " + ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(
            f"partition: the sizes add up to {total} ({parts}), the latent size is {latent_size}; "
            f"change latent_size to {total} or resize 'residual' by {latent_size - total:+d}"
        )


def check_roi(roi_size: tuple[int, ...], factor: int) -> None:
    """Raise ValueError unless `roi_size` has three sides that `factor`, the network's total stride, divides."""
    if len(roi_size) != 3 or any(side < factor or side % factor for side in roi_size):
        nearest = [max(factor, round(side / factor) * factor) for side in roi_size]
        raise ValueError(
            f"roi_size: expected three sides divisible by {factor} (the network's total stride), "
            f"found {list(roi_size)}; the nearest that fits is {nearest}"
        )
