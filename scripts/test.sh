#!/usr/bin/env bash
# The whole check: set-up, lint, format, types, then the tests with coverage. Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

times=""
phase() {
  local name="$1" start=$SECONDS
  shift
  echo "== $name"
  "$@"
  times+="$(printf '%-14s %4d s' "$name" $((SECONDS - start)))"$'\n'
}

phase set-up bash scripts/setup.sh
phase "ruff check" .venv/bin/ruff check .
phase "ruff format" .venv/bin/ruff format --check .
phase mypy .venv/bin/mypy
printf '== seconds before the tests\n%s== tests\n' "$times"

# One thread each: two workers that both use every core are slower than one.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MPLBACKEND=Agg
# A part of the suite covers a part of the package.
minimum=$([ $# -eq 0 ] && echo 90 || echo 0)
exec .venv/bin/python -m pytest -n "${TEST_WORKERS:-2}" --durations=15 \
  --cov=semivae_bundle --cov-report=term:skip-covered --cov-fail-under="$minimum" "$@"
