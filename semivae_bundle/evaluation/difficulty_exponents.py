"""The powers of the predicted volume that the widths of intervals go with: what `difficulty` may hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from semivae_bundle.features.schema import COLUMNS, PARTITIONS


def require_exponents(exponents: Mapping[str, float], partitions: Collection[str]) -> None:
    """A ValueError unless every one of the `partitions` with features has an exponent, and every key is that of a
    partition or of a feature column, be it a target or not: the same keys serve other targets.
    """
    missing = sorted(set(partitions) - set(exponents))
    if missing:
        raise ValueError(f"difficulty: expected an exponent for each partition with features, found none for {missing}")
    if unknown := sorted(set(exponents) - {*partitions, *PARTITIONS, *COLUMNS}):
        near = get_close_matches(unknown[0], [*partitions, *COLUMNS], n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"difficulty: expected partitions or feature columns as keys, found {unknown}{meant}")


def exponents_or_exit(exponents: Mapping[str, float], targets: Mapping[str, Sequence[str]], command: str) -> None:
    """`require_exponents` of the partitions that have `targets`, ending the command with its message, before any scan
    is read.
    """
    try:
        require_exponents(exponents, [name for name, columns in targets.items() if columns])
    except ValueError as error:
        raise SystemExit(f"{command}: {error}") from None
