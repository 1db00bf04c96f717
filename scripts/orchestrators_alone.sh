#!/usr/bin/env bash
# Make the environments of Prefect and Airflow and run a job in each, for real. They stand alone: Prefect wants an older
# FastAPI than geotoolz-serve, Airflow pins half of the index. geotoolz-nextgen goes in without Ray and siblings that a
# unit of work does not need.
#   scripts/orchestrators_alone.sh [FOLDER]      environments are made below FOLDER, and kept where one is named
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
export DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false SCARF_ANALYTICS=false
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False

environment() { # NAME REQUIREMENT...
  local python="$folder/$1/bin/python"
  if [ ! -x "$python" ]; then uv venv --quiet --python 3.11 "$folder/$1"; fi
  # without the workspace's own constraints: these two want other versions
  uv pip install --no-config --quiet --python "$python" "${@:2}" -e 'packages/geotoolz-core[catalog]' \
    -e packages/geotoolz-cloud -e packages/geotoolz-indices -e packages/geotoolz-qc
  uv pip install --no-config --quiet --python "$python" --no-deps -e geotoolz-nextgen
}

environment prefect 'prefect>=3.8,<4' 'fastapi<0.151'
environment airflow 'apache-airflow>=3.1,<4'
GEOTOOLZ_PREFECT_PYTHON="$folder/prefect/bin/python" GEOTOOLZ_AIRFLOW_PYTHON="$folder/airflow/bin/python" \
  uv run --no-sync pytest -q -p no:cacheprovider geotoolz-nextgen/tests/test_prefect.py geotoolz-nextgen/tests/test_airflow.py
