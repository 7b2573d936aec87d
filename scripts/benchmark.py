"""How fast the parts of the bundle are here: `python scripts/benchmark.py step|sizes|features|preprocess|loader`.

Each sub-command is one function in `scripts/benchmarks/`, and prints one table.
"""

import fire
from benchmarks.features import features
from benchmarks.scans import loader, preprocess
from benchmarks.sizes import sizes
from benchmarks.step import step

if __name__ == "__main__":
    fire.Fire({"step": step, "sizes": sizes, "features": features, "preprocess": preprocess, "loader": loader})
