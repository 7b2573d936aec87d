"""What a command ends in: an error that the user can repair, or a defect, and its first cause."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

from semivae_bundle.bundle_run import PACKAGE

# What a person can repair; anything else is a defect of the program and keeps its traceback.
EXPECTED = (FileNotFoundError, ValueError, FloatingPointError, ChildProcessError)


def expected_error(error: BaseException) -> BaseException | None:
    """The error that this package raised on purpose, below what MONAI wrapped around it; None for others."""
    for link in _chain(error):
        # No permission, a full disk, a folder that is a file: the message has the path, and it is the user's.
        if isinstance(link, OSError) and link.filename is not None:
            return link
        frames = traceback.extract_tb(link.__traceback__)
        if isinstance(link, EXPECTED) and frames and Path(frames[-1].filename).resolve().is_relative_to(PACKAGE):
            return link
    return None


def first_cause(error: BaseException) -> BaseException:
    """What was raised first, below all that was wrapped around it."""
    *_, first = _chain(error)
    return first


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
