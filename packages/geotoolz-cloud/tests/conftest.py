"""Settings of all tests of this package."""

from __future__ import annotations

from hypothesis import settings

# a deadline measures the machine, and the first call of a kernel compiles it
settings.register_profile("geotoolz", deadline=None)
settings.load_profile("geotoolz")
