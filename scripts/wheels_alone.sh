#!/usr/bin/env bash
# Every distribution alone: a fresh environment with its wheel and what it declares, nothing else of the workspace.
#   1. its modules import and its console scripts answer --help;
#   2. the example of its README runs;
#   3. with its `test` group added, its own tests pass, run from a copy outside the checkout. ALONE_K="plan_equals or
#      test_cli_repro" takes some of them only (pytest -k; a package of which it names no test fails).
# Usage: scripts/wheels_alone.sh [DISTRIBUTION ...]      (default: all)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export RAY_ENABLE_UV_RUN_RUNTIME_ENV=0
[ -d "$root/../shared/data" ] && export GEOTOOLZ_DATA=${GEOTOOLZ_DATA:-$(cd "$root/../shared/data" && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bash scripts/build_wheels.sh "$work/wheels" >/dev/null
uv run --quiet --no-project python scripts/update_constraints.py --print >"$work/constraints.txt"
mkdir "$work/place" && uv run --quiet python scripts/readmes.py place "$work/place"

folder_of() { if [ -d "packages/$1" ]; then echo "packages/$1"; else echo "$1"; fi; }

install() { # everything from the built wheels and the registry, never from the checkout
    uv pip install --quiet --python "$venv" --no-sources --find-links "$work/wheels" \
        --constraints "$work/constraints.txt" "$@"
}

bare() {
    "$venv/bin/python" - "$root/$folder/pyproject.toml" <<'PY'
import importlib, subprocess, sys, sysconfig, tomllib
from pathlib import Path

with open(sys.argv[1], "rb") as file:
    spec = tomllib.load(file)
named = spec["tool"]["uv"]["build-backend"]["module-name"]
names = named if isinstance(named, list) else [named]
if names == ["geotoolz"]:
    where = Path(importlib.import_module("geotoolz").__file__).parent
    names += [f"geotoolz.{path.parent.name}" for path in sorted(where.glob("[a-z]*/__init__.py"))]
for name in names:
    importlib.import_module(name)
for script in spec["project"].get("scripts", {}):
    command = [str(Path(sysconfig.get_path("scripts"), script)), "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
PY
}

example() { # with what the distribution declares, in a folder with the files that READMEs name
    rm -rf "$work/example" && cp -r "$work/place" "$work/example"
    (cd "$work/example" && "$venv/bin/python" "$root/scripts/readmes.py" run "$root/$folder/README.md")
}

one() {
    folder=$(folder_of "$1") venv=$work/venv
    rm -rf "$venv" "$work/run" && uv venv --quiet "$venv"
    install "$1" && bare && example || return 1
    install "$1" --group "$folder/pyproject.toml:test" pytest-xdist pytest-timeout || return 1
    mkdir -p "$work/run" && cp -r "$folder/tests" "$work/run/tests" || return 1
    # kernels that numba compiled in the checkout name modules of the checkout
    find "$work/run/tests" -name __pycache__ -prune -exec rm -rf {} +
    (cd "$work/run" && "$venv/bin/python" -m pytest -q -n 2 --dist worksteal -c "$root/pyproject.toml" --rootdir "$work/run" -p no:cacheprovider -k "${ALONE_K:-}" tests)
}

dists=("$@")
[ ${#dists[@]} -gt 0 ] || dists=($(cd packages && ls) geotoolz-nextgen)
failed=()
for dist in "${dists[@]}"; do
    start=$SECONDS
    if one "$dist" >"$work/log" 2>&1; then
        echo "$dist: alone, passes ($((SECONDS - start)) s)"
    else
        echo "$dist: alone, FAILS ($((SECONDS - start)) s)"
        tail -n 60 "$work/log"
        failed+=("$dist")
    fi
done
[ ${#failed[@]} -eq 0 ] || { echo "failed alone: ${failed[*]}" >&2; exit 1; }
