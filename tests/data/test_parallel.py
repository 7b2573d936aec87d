"""The number of workers."""

import pytest

from semivae_bundle.data.parallel import in_parallel, require_workers


@pytest.mark.parametrize("workers", [0, 1.5, "four", True])
def test_a_number_of_workers_that_means_nothing_is_refused(workers) -> None:
    with pytest.raises(ValueError, match="workers: expected a whole number from 1, or -1 for one per core, found"):
        list(in_parallel(abs, [(1,)], workers=workers, label="", unit="", progress=False))


@pytest.mark.parametrize("workers", [-1, -2, 1, 4, None])
def test_what_joblib_knows_passes(workers: int | None) -> None:
    require_workers(workers)
