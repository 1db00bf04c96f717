#!/usr/bin/env bash
# Build every distribution of the workspace as a wheel into DIR (default: dist), fresh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-dist}
rm -rf "$out"
uv build --quiet --all-packages --wheel --out-dir "$out"
ls "$out"/*.whl
