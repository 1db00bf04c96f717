"""Tiles of several sensors on one grid."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.fusion._align import AlignAndStack

align_and_stack = verb(AlignAndStack, "align_and_stack")

__all__ = ["AlignAndStack", "align_and_stack"]
