"""The main job at scale: engines for `geotoolz.batch.CatalogPipeline` on Ray and on dask.distributed."""

from __future__ import annotations

from ._cluster import LocalCluster
from ._dask_engine import DaskEngine
from ._engine import RayEngine
from ._unit import UnitError, require_done, run_unit
from ._units import units

__all__ = ["DaskEngine", "LocalCluster", "RayEngine", "UnitError", "require_done", "run_unit", "units"]
