"""Modules that need an absent library have no doctests to collect: importing them is an error there."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

_ABSENT = [name for name in ("torch", "litserve") if find_spec(name) is None]


def _needs_absent(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return any(re.search(rf"^(?:import|from) {name}\b", text, re.MULTILINE) for name in _ABSENT)


_ROOT = Path(__file__).parent
#: for another type checker, never run: scripts/types_installed.sh
collect_ignore = ["tests/typed_user.py"] + (
    [str(path.relative_to(_ROOT)) for path in _ROOT.glob("packages/*/src/**/*.py") if _needs_absent(path)]
    if _ABSENT
    else []
)
