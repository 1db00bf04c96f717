#!/usr/bin/env bash
# What another type checker sees of the installed wheels: pyright, strict, on a program as users write it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bash scripts/build_wheels.sh "$work/wheels" >/dev/null
uv run --quiet --no-project python scripts/update_constraints.py --print >"$work/constraints.txt"
uv venv --quiet "$work/venv"
dists=($(cd packages && ls) geotoolz-nextgen)
uv pip install --quiet --python "$work/venv" --no-sources --find-links "$work/wheels" \
    --constraints "$work/constraints.txt" "${dists[@]}" "geotoolz-core[catalog,cloud-io,vector]" "pyright[nodejs]"
cp tests/typed_user.py "$work"
cd "$work" # outside the checkout, whose sources pyright would find
source venv/bin/activate
pyright typed_user.py
