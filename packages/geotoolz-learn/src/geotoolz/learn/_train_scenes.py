"""Scenes, made ready once: features and labels in files that epochs read from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from geotoolz.core import ParameterError, Sequential, TileSpec, load
from geotoolz.core._lazy import xr
from geotoolz.learn._train_config import DataConfig
from geotoolz.learn._train_errors import TrainingError

Array = np.ndarray[Any, Any]
IGNORE = 255
_MOST_CLASSES = 255


@dataclass(frozen=True)
class TrainScene:
    """A scene that is ready.

    Attributes
    ----------
    name : str
        Of the tile.
    features : array
        ``(band, y, x)``, float32, NaN for no-data; mapped from a file.
    labels : array or None
        ``(y, x)``, uint8, 255 where there is no label.
    grid : GeoBox or None
        Where it lies.
    """

    name: str
    features: Array
    labels: Array | None
    grid: GeoBox | None


def prepare_scenes(
    config: DataConfig, scenes: Iterable[Any] | None, folder: Path
) -> tuple[list[TrainScene], str]:
    """Bring all scenes through the pipeline, one at a time, and into files below a folder.

    Returns
    -------
    scenes : list of TrainScene
    digest : str
        SHA-256 of all features and labels.

    Raises
    ------
    TrainingError
        If there is no scene.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = hashlib.sha256()
    made = []
    for number, tile in enumerate(_tiles(config, scenes)):
        one = _ready(config, tile, folder / f"scene-{number:05d}")
        whole.update(repr((one.features.shape, one.grid)).encode())
        whole.update(np.ascontiguousarray(one.features).data)
        if one.labels is not None:
            whole.update(np.ascontiguousarray(one.labels).data)
        made.append(one)
    if not made:
        raise TrainingError("there is no scene", expected="data.scenes, or train(config, scenes=[…])")
    return made, whole.hexdigest()


def _tiles(config: DataConfig, scenes: Iterable[Any] | None) -> Iterator[xr.Dataset]:
    sources: list[Any] = list(config.scenes) if scenes is None else list(scenes)
    for source in sources:
        if isinstance(source, xr.Dataset):
            yield source
        elif isinstance(source, str | Path) and str(source).rstrip("/").endswith(".zarr"):
            from geotoolz.io import open_zarr

            yield open_zarr(source)
        elif isinstance(source, str | Path):
            from geotoolz.catalog import GeoCatalog

            catalog = (
                GeoCatalog.open(source) if str(source).endswith(".parquet") else GeoCatalog.build(str(source))
            )
            yield from (part.load() for part in catalog.tiles())
        elif callable(getattr(source, "load", None)):
            yield source.load()
        else:
            raise ParameterError(
                f"a scene is {type(source).__name__}", expected="a tile, a path, or a slice of a catalog"
            )


def _ready(config: DataConfig, tile: xr.Dataset, path: Path) -> TrainScene:
    tile = _through(config, tile)
    spec = TileSpec.of(tile)
    names = [spec.find(band, "the training") for band in config.bands]
    for name in names:
        if spec.variables[name].dims != ("y", "x"):
            raise TrainingError(f"{name!r} has dims {spec.variables[name].dims}", expected="(y, x)")
    features = np.lib.format.open_memmap(
        path.with_suffix(".features.npy"), "w+", np.float32, (len(names), *spec.shape)
    )
    for k, name in enumerate(names):
        values = np.asarray(tile[name].values)
        features[k] = np.where(values == spec.variables[name].nodata_scalar, np.nan, values)
    features.flush()
    labels = None
    if config.classes:
        labels = _labels(config, tile, spec)
        labels[np.isnan(features).all(axis=0)] = IGNORE  # nothing is known of such a pixel
        np.save(path.with_suffix(".labels.npy"), labels)
        labels = np.load(path.with_suffix(".labels.npy"), mmap_mode="r")
    held = np.load(path.with_suffix(".features.npy"), mmap_mode="r")
    name = str(tile.attrs.get("tile_id") or path.name)
    return TrainScene(name, held, labels, spec.window_geobox)


def _through(config: DataConfig, tile: xr.Dataset) -> xr.Dataset:
    steps: list[Any] = [] if config.pipeline is None else [load(config.pipeline)]
    if config.labels is not None:
        from geotoolz.catalog import ReadLabel

        # values that are no class of the network have no label, whatever they are called
        classes: Mapping[str, int | None] | None = (
            None if config.label_column is None else dict(config.classes)
        )
        steps.append(ReadLabel(config.labels, config.label_column, config.label, classes=classes))
    return Sequential(steps)(tile) if steps else tile


def _labels(config: DataConfig, tile: xr.Dataset, spec: TileSpec) -> Array:
    if len(config.classes) > _MOST_CLASSES:
        raise TrainingError(f"{len(config.classes)} classes", expected=f"at most {_MOST_CLASSES}")
    name = spec.find(config.label, "the training")
    given = spec.variables[name]
    if given.dtype.kind not in "iub":
        raise TrainingError(f"label {name!r} holds {given.dtype}", expected="codes: integers or a mask")
    values = np.asarray(tile[name].values).astype(np.int64)
    known = np.isin(values, list(config.classes.values()))
    if given.nodata is not None:
        known &= values != given.nodata
    found: Array = np.where(known, values, IGNORE).astype(np.uint8)
    return found
