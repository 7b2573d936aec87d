"""Which of the processes that torchrun starts this one is."""

from __future__ import annotations

import os


def local_rank() -> int:
    """The number of the process on its machine, and so of its GPU. Ends the command where torchrun did not start it."""
    rank = os.environ.get("LOCAL_RANK")
    if rank is None:
        raise SystemExit(
            "multi_gpu_train.json: expected to be started by torchrun, found no LOCAL_RANK; "
            "torchrun --standalone --nproc_per_node N -m monai.bundle run training --config_file ..."
        )
    return int(rank)
