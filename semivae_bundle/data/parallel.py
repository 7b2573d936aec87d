"""One way to work through many subjects: in processes, with a progress bar, results in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from semivae_bundle.data.wording import not_whole, shown

Result = TypeVar("Result")


def in_parallel(
    function: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    *,
    workers: int | None,
    label: str,
    unit: str,
    progress: bool,
) -> Iterator[Result]:
    """`function(*one)` for each of `arguments`, in their order, as soon as they are there.

    `workers`: processes, -1 for one per core, None to take what `joblib.parallel_config` says, e.g. `backend="dask"`.
    """
    require_workers(workers)
    # joblib keeps its workers. One that began with a light job takes what a heavy one imports and caches for a memory
    # leak, and is stopped in mid-work: each kind of job gets workers of its own.
    get_reusable_executor().shutdown(wait=True)
    # A worker starts by importing for seconds: not for a single subject.
    alone = workers is not None and len(arguments) < 2
    jobs = Parallel(n_jobs=1 if alone else workers, return_as="generator")(delayed(function)(*one) for one in arguments)
    yield from tqdm(jobs, total=len(arguments), desc=label, unit=unit, file=sys.stdout, disable=not progress)


def require_workers(workers: int | None) -> None:
    """ValueError for a number of workers that joblib has no meaning for."""
    if workers is not None and (not_whole("workers", workers) or workers == 0):
        raise ValueError(f"workers: expected a whole number from 1, or -1 for one per core, found {shown(workers)}")


def made_where_missing(
    where: Callable[..., Path],
    make: Callable[..., Path],
    arguments: Sequence[tuple[Any, ...]],
    *,
    workers: int | None,
    label: str,
    unit: str,
    progress: bool,
) -> list[Path]:
    """`where(*one)`, a file, for each of `arguments`, in their order; `make(*one)` makes it if it is not there.

    `where` should mostly hash or read, which lets other threads run: a process would begin by importing for seconds, to
    find that all is there.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = threads.map(lambda one: where(*one), arguments)
        files = list(tqdm(found, "look up", len(arguments), unit=unit, file=sys.stdout, disable=not progress))
    missing = [one for one, file in zip(arguments, files, strict=True) if not file.exists()]
    if missing:
        list(in_parallel(make, missing, workers=workers, label=label, unit=unit, progress=progress))
    return files
