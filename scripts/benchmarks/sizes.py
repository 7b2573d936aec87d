"""What each size of network costs: weights, memory, arithmetic and time of a training step."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from multiprocessing import get_context

import numpy as np
from benchmarks.saved_memory import held_by, saved_activation_mib
from benchmarks.timing import WARM_UP, peak_memory_gib, seconds
from benchmarks.training_step import training_step

from semivae_bundle.data.files import write_csv_atomically

BASE = "base"
"""The size that train.json has without a recipe."""

SIZES = ("tiny", "small", BASE, "large")


@dataclass(frozen=True)
class SizeFigures:
    """One row of the table; `peak_gib` is of the whole process, or of the GPU."""

    size: str
    parameters_million: float
    saved_mib: float
    gflop: float
    peak_gib: float
    step_s: float


def sizes(
    roi: int = 64,
    batch: int = 1,
    repeats: int = 3,
    names: Sequence[str] | str = SIZES,
    more: Sequence[str] | str = (),
    csv: str | None = None,
) -> None:
    """One step of each size on `batch` random scans of `roi`³ voxels, as a Markdown table, and as a CSV file if asked.

    `names`: the recipes of the sizes, and "base" for train.json as it is; `more`: recipes laid over each of them, such
    as activation_checkpointing. Every size runs in a process of its own, because a process's peak never falls again.
    """
    chosen, over = ((value,) if isinstance(value, str) else tuple(value) for value in (names, more))
    rows = []
    for name in chosen:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            rows.append(fresh.submit(measure_size, name, roi, batch, repeats, over).result())
    print(markdown_table(rows))
    if csv is not None:
        write_csv_atomically(csv, list(SizeFigures.__dataclass_fields__), [astuple(row) for row in rows])


def measure_size(name: str, roi: int, batch: int, repeats: int, more: Sequence[str] = ()) -> SizeFigures:
    """The row of one size, measured in this process: the peak is the highest that the process has been at so far."""
    one = training_step([recipe for recipe in (name, *more) if recipe != BASE], roi, batch)
    held = [*held_by(one.network, one.objective), *one.target.values()]
    saved = saved_activation_mib(one.loss, held)
    gflop = one.gflop()
    times = [seconds(one.run) for _ in range(WARM_UP + repeats)][WARM_UP:]
    return SizeFigures(
        name, one.parameters_million(), saved, gflop, peak_memory_gib(one.device), float(np.median(times))
    )


def markdown_table(rows: Sequence[SizeFigures]) -> str:
    """The rows as GitHub shows them."""
    lines = [
        "| size | parameters, million | saved activations, MiB | arithmetic, GFLOP | peak memory, GiB | step, s |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.size}` | {row.parameters_million:.2f} | {row.saved_mib:.1f} | {row.gflop:.1f} | {row.peak_gib:.2f} "
        f"| {row.step_s:.3f} |"
        for row in rows
    ]
    return "\n".join(lines)
