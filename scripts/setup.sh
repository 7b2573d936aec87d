#!/usr/bin/env bash
# Makes .venv in the repository's root and installs the pinned dependencies and this package into it.
# Does nothing when both are as they should be. PYTHON names the interpreter to use: PYTHON=python3.12 bash scripts/setup.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Two at once would install into one .venv. The lock is on the folder itself and ends with this script.
if command -v flock >/dev/null; then
  exec 9<.
  if ! flock -n 9; then
    echo "set-up: expected to be the only set-up in $PWD, found another at work; wait for it" >&2
    exit 2
  fi
fi

python="${PYTHON:-python3}"
# Without PYTHON, an environment that is there goes on with its own.
if [ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
stamp=.venv/semivae-setup

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "set-up: expected Python 3.11 or later, found $("$python" --version 2>&1 || echo none) as '$python';" \
       "name another with PYTHON=python3.11 bash scripts/setup.sh" >&2
  exit 2
fi

minor='import sys; print("%d.%d" % sys.version_info[:2])'
if [ -x .venv/bin/python ] && [ "$(.venv/bin/python -c "$minor")" != "$("$python" -c "$minor")" ]; then
  echo "set-up: .venv has Python $(.venv/bin/python -c "$minor"), '$python' is $("$python" -c "$minor");" \
       "remove .venv, or leave PYTHON out" >&2
  exit 2
fi

# What the installation depends on: the pins, the package's own needs, and where the repository lies.
wanted="$("$python" - <<'PY'
import hashlib, pathlib
content = b"".join(pathlib.Path(name).read_bytes() for name in ("constraints.txt", "pyproject.toml"))
print(hashlib.sha256(content + str(pathlib.Path.cwd()).encode()).hexdigest())
PY
)"
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  echo "set-up: .venv is up to date"
  exit 0
fi

start=$SECONDS
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  if [ -e .venv ]; then
    echo "set-up: .venv is there and has no pip, so something else made it, or it is half made; remove it first" >&2
    exit 2
  fi
  echo "set-up: making .venv with $("$python" --version)"
  "$python" -m venv .venv
fi
echo "set-up: installing into .venv, which takes minutes where it is new"
.venv/bin/python -m pip install -c constraints.txt -e ".[test,dev,cluster,dinov2,swin]"
echo "$wanted" > "$stamp"
echo "set-up: ready, installed after $((SECONDS - start)) s"
