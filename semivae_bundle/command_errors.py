"""What a command ends in: an error that the user can repair, or a defect, and its first cause."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semivae_bundle.bundle_run import PACKAGE

# What a person can repair; anything else is a defect of the program and keeps its traceback.
EXPECTED = (FileNotFoundError, ValueError, FloatingPointError, ChildProcessError)


INTERRUPTED = 130  # as a shell has it: 128 and the number of the signal
ENGINES = ("SupervisedTrainer", "SupervisedEvaluator")


@contextmanager
def ending_in_a_line() -> Iterator[None]:
    """Leaves with code 2 and a message for what the user can repair, with 130 when interrupted, and with 1 and a
    traceback for a defect.
    """
    for engine in ENGINES:
        logging.getLogger(f"ignite.engine.engine.{engine}").addFilter(_is_told_once)
    try:
        yield
    except SystemExit as leaving:
        if not isinstance(leaving.code, str):
            raise
        print(leaving.code, file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("\nsemivae_bundle: interrupted; the same command goes on from what is written", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        if (reason := expected_error(error)) is None:
            traceback.print_exc()
            # Below what MONAI wrapped around it, which says only which component could not be made.
            first = first_cause(error)
            print(f"semivae_bundle: {type(first).__name__}: {first}", file=sys.stderr)
            raise SystemExit(1) from None
        print(f"semivae_bundle: {reason}", file=sys.stderr)
        raise SystemExit(2) from None


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


def _is_told_once(record: logging.LogRecord) -> bool:
    """Not what an engine says of the error that it ends in, twice: the command says it once more."""
    return "is terminating due to exception" not in record.getMessage()
