"""`python -m semivae_bundle.child_run run ID ...`: as `python -m monai.bundle run`, but an error ends in a line.

For runs that a command starts in processes of their own, whose tracebacks would bury the reason.
"""

from __future__ import annotations

import fire
from monai.bundle import run

from semivae_bundle.command_errors import ending_in_a_line

if __name__ == "__main__":
    with ending_in_a_line():
        fire.Fire({"run": run}, name="semivae_bundle.child_run")
