"""The main job at scale: the Ray engine for `geotoolz.batch.CatalogPipeline`."""

from __future__ import annotations

from ._engine import RayEngine

__all__ = ["RayEngine"]
