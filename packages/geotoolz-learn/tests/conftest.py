"""Settings of all tests of this package."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from hypothesis import settings

# A deadline measures the machine, and the first call of a kernel compiles it. What decides on a landing draws
# the same examples every time; everybody else draws new ones.
same = bool(os.environ.get("GEOTOOLZ_SAME_EXAMPLES"))
settings.register_profile("geotoolz", deadline=None, derandomize=same)
settings.load_profile("geotoolz")

# importlib mode puts no test folder on the path
sys.path.insert(0, str(Path(__file__).parent / "helpers"))

# doctests are collected from helpers, too
collect_ignore = [] if find_spec("torch") else ["helpers/gtz_torch.py"]
