"""Samples as the command line names them: a vector file, or a raster of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geotoolz.catalog import GeoCatalog
    from geotoolz.core import Operator
    from geotoolz.learn import TrainingRows

_RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
_BLOCKS_ACROSS = 10


def is_raster(samples: str) -> bool:
    """Tell whether samples are a raster of labels."""
    return samples.lower().endswith(_RASTERS)


def of_shapes(
    source: str, samples: str, label: str | None, op: Operator | None, names: Sequence[str] | None
) -> TrainingRows:
    """Return the pixels of labelled polygons, or under points."""
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.core import ParameterError
    from geotoolz.learn import TrainingRows
    from geotoolz.vector import sample_training

    if label is None:
        raise ParameterError("no --label", expected="the column that holds the class")
    path, _, layer = samples.partition(":") if not Path(samples).exists() else (samples, "", "")
    catalog = None if is_raster(source) else open_scenes(source).catalog
    scenes = catalog or source
    if op is not None and names is None:
        names = _measurements(source, op)
    table = sample_training(scenes, path, label, op=op, bands=names, layer=layer or None)
    rows = TrainingRows.from_table(table, names)
    return rows if catalog is None else _dated(rows, catalog)


def _dated(rows: TrainingRows, catalog: GeoCatalog) -> TrainingRows:
    """Return rows with the dates of the scenes that they come from."""
    import numpy as np
    import pandas as pd

    if rows.tile_ids is None:
        return rows
    times = pd.to_datetime(catalog.frame["datetime"], utc=True).dt.tz_localize(None)
    known = dict(zip(catalog.frame["id"], times.to_numpy("datetime64[ns]"), strict=True))
    unknown = np.datetime64("NaT", "ns")
    return replace(rows, times=np.array([known.get(one, unknown) for one in rows.tile_ids]))


def of_raster(
    source: str,
    labels: str,
    op: Operator | None,
    names: Sequence[str] | None,
    pixels: int | None,
    chip: int,
    seed: int,
    nearest: bool = False,
) -> TrainingRows:
    """Return pixels of a raster of labels."""
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.catalog import ReadLabel
    from geotoolz.learn import ReadLabelNearest, ToPixelMajor, training_rows
    from geotoolz.patch import GridSampler, Rectangle

    catalog = open_scenes(source).catalog
    scenes = catalog if catalog is not None else [source]
    adapter = ToPixelMajor(None if names is None else tuple(names))
    sampler = GridSampler(Rectangle((chip, chip)))
    reader = ReadLabelNearest(labels) if nearest else ReadLabel(labels)
    return training_rows(op, reader, scenes, sampler, pixels, adapter=adapter, random_state=seed)


def folds_for(rows: TrainingRows, folds: int, block: float | None, seed: int) -> Any:
    """Return a cross-validation that keeps neighbours on one side: polygons whole, or blocks of pixels.

    Raises
    ------
    ParameterError
        For blocks where the samples have no places in metres.
    """
    from geotoolz.core import ParameterError
    from geotoolz.learn import spatial_folds

    if not folds:
        if block is not None:
            raise ParameterError("--block-size without cross-validation", fix="--folds 5")
        return None
    if block is None and rows.groups is not None:
        return folds  # polygons: whole ones on one side
    if block is None and rows.xy is not None:
        block = float((rows.xy.max(axis=0) - rows.xy.min(axis=0)).max()) / _BLOCKS_ACROSS
    if not block:
        raise ParameterError(
            "the samples are at one place, or have none", expected="places for blocks", fix="--folds 0"
        )
    return spatial_folds("blocks", n_splits=folds, block_size_m=block, seed=seed)


def _measurements(source: str, op: Operator) -> tuple[str, ...]:
    """Return what a pipeline leaves of the first scene: its measurements, and what it makes of them."""
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.core import compile
    from geotoolz.io import describe
    from geotoolz.learn._layout import default_features

    first = source if is_raster(source) else next(iter(open_scenes(source).sources()))[1]
    return default_features(compile(op, describe(first)).output)
