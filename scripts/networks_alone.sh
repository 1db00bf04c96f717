#!/usr/bin/env bash
# Networks of segmentation-models-pytorch, and MONAI and torchgeo beside ours: they need torchvision, of which there is
# no build for processors alone, so they get an environment of their own with the registry's torch (6 GB).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
free=$(df --output=avail --block-size=1G "$work" | tail -n 1)
if [ "$free" -lt 15 ]; then
    echo "skipped: the disk has $free GB free, the environment needs 15"
    exit 0
fi
ours=()
for name in core indices patch qc learn; do ours+=(--editable "$root/packages/geotoolz-$name"); done
uv venv --quiet "$work/venv"
# from elsewhere: the workspace's constraints are those of another torch
(cd "$work" && uv pip install --quiet --python venv/bin/python "${ours[@]}" torch torchgeo requests monai \
    segmentation-models-pytorch pytest pytest-timeout hypothesis)
cd packages/geotoolz-learn
"$work/venv/bin/python" -m pytest -q -c "$root/pyproject.toml" --rootdir "$root" -p no:cacheprovider tests/test_torch_peers.py
