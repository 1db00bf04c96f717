"""The example in the README of every package, and of the workspace, runs as printed.

`scripts/wheels_alone.sh` runs each with nothing installed but the distribution.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

readmes = importlib.import_module("scripts.readmes")

ROOT = Path(__file__).parent.parent
READMES = sorted(
    [*ROOT.glob("packages/*/README.md"), *(ROOT / name / "README.md" for name in ("", "geotoolz-nextgen"))]
)


@pytest.mark.parametrize("readme", READMES, ids=[path.parent.name for path in READMES])
def test_the_example_runs(readme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readmes.place(tmp_path)
    readmes.run(readme)
