"""How fast the parts of the bundle are on this machine: `python scripts/benchmark.py features` and so on.

Each sub-command is one function in `scripts/benchmarks/`, and prints one table.
"""

import fire
from benchmarks.features import features

if __name__ == "__main__":
    fire.Fire({"features": features})
