#!/usr/bin/env bash
# Check the layers (import-linter's contracts in pyproject.toml) on the built wheels in an environment of their own:
# import-linter does not see the parts of a namespace that are installed editable.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bash scripts/build_wheels.sh "$work/wheels" >/dev/null
uv run --quiet --no-project python scripts/update_constraints.py --print >"$work/constraints.txt"
uv venv --quiet "$work/venv"
# Modules are parsed, not imported: the libraries that they use need not be there.
uv pip install --quiet --python "$work/venv" --no-deps "$work"/wheels/*.whl
uv pip install --quiet --python "$work/venv" --constraints "$work/constraints.txt" import-linter
"$work/venv/bin/lint-imports" --config pyproject.toml --no-cache
