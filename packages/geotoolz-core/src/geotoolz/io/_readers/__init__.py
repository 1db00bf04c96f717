"""Readers: one class per kind of product, found by looking at the path."""

from __future__ import annotations

from geotoolz.io._readers._base import OpenScene, Reader
from geotoolz.io._readers._registry import own_reader_for, reader_for, reader_names, readers

__all__ = ["OpenScene", "Reader", "own_reader_for", "reader_for", "reader_names", "readers"]
