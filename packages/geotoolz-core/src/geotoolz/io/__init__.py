"""Reading and writing: sensor tables, `open_tile`, `WriteCOG`, Zarr."""

from __future__ import annotations

from geotoolz.io._area import Area, AreaWarning
from geotoolz.io._bands import TABLES, BandDef, identify
from geotoolz.io._classes import stac_classes
from geotoolz.io._flags import flag_attrs
from geotoolz.io._gdal import close_handles
from geotoolz.io._notices import MetadataWarning, SuspiciousValuesWarning, forget_notices
from geotoolz.io._object_errors import (
    StoreBusyError,
    StoreCredentialsError,
    StoreDamagedError,
    StoreDeniedError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)
from geotoolz.io._object_path import ObjectPath, place, probe_store
from geotoolz.io._open import describe, open_tile
from geotoolz.io._product import Product
from geotoolz.io._radiometry import Declared
from geotoolz.io._reader import SceneReader, open_scene
from geotoolz.io._readers import OpenScene, Reader, reader_names
from geotoolz.io._scene import Asset, SceneInfo
from geotoolz.io._sign import signer_names
from geotoolz.io._stream import StreamResult, plan_stream, stream
from geotoolz.io._stream_plan import StreamPlan
from geotoolz.io._variables import name_suspicious
from geotoolz.io._write import WriteCOG, write_tile
from geotoolz.io._write_zarr import WriteZarr
from geotoolz.io._zarr import open_zarr, write_zarr

__all__ = [
    "TABLES",
    "Area",
    "AreaWarning",
    "Asset",
    "BandDef",
    "Declared",
    "MetadataWarning",
    "ObjectPath",
    "OpenScene",
    "Product",
    "Reader",
    "SceneInfo",
    "SceneReader",
    "StoreBusyError",
    "StoreCredentialsError",
    "StoreDamagedError",
    "StoreDeniedError",
    "StoreError",
    "StoreMissingError",
    "StoreUnreachableError",
    "StreamPlan",
    "StreamResult",
    "SuspiciousValuesWarning",
    "WriteCOG",
    "WriteZarr",
    "close_handles",
    "describe",
    "flag_attrs",
    "forget_notices",
    "identify",
    "name_suspicious",
    "open_scene",
    "open_tile",
    "open_zarr",
    "place",
    "plan_stream",
    "probe_store",
    "reader_names",
    "signer_names",
    "stac_classes",
    "stream",
    "write_tile",
    "write_zarr",
]
