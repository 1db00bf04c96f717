"""`open_tile` and `describe`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from geotoolz.core._specs import TileSpec
from geotoolz.io._reader import open_scene
from geotoolz.io._scene import BandRequest
from geotoolz.io._sign import Sign
from geotoolz.io._variables import Offset, name_suspicious

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox


def open_tile(
    source: Any,
    bands: BandRequest = None,
    aoi: Any = None,
    resolution: float | None = None,
    raw: bool = False,
    *,
    offset: Offset = None,
    geobox: GeoBox | None = None,
    sign: Sign = None,
) -> xr.Dataset:
    """Read a scene, or a part of it, as a tile.

    Reflectance comes as float32 with NaN for no-data, with the scale and offset that the product's
    metadata asks for; flags and classes keep their integers.

    Parameters
    ----------
    source : path, list of paths, STAC item
        A raster, a folder of band files (Sentinel-2 including ``.SAFE``, Landsat Collection 2 with
        its MTL), the product of another registered reader (`reader_names`), or a STAC item: its file, a
        dict, a ``pystac.Item``.
    bands : str, iterable of str, or mapping, optional
        Common names (``"red"``), roles (``"nir"`` finds ``nir08`` on Landsat), the sensor's own names
        (``"B04"``) or asset keys. A mapping gives names: ``{"red": "B04"}``, ``{"red": 3}``. By
        default every reflectance, backscatter, temperature and flag band that is there.
    aoi : anything that `Area.of` takes, optional
        The pixels that its bounding box touches are read: ``(west, south, east, north)`` in EPSG:4326, a
        vector file (``farm.gpkg``, ``farm.gpkg:layer``), GeoJSON, a geometry, a GeoDataFrame, a GeoBox, an
        MGRS tile (``"33TWL"``). What has a CRS of its own keeps it; the rest is in EPSG:4326.
    resolution : float, optional
        Pixel size in units of the scene's CRS, on a grid that starts at the scene's corner; by
        default the finest of the asked bands. Values are averaged by area where the tile is coarser
        than the band and interpolated bilinearly where it is finer; flags and classes always take
        the pixel under the centre.
    raw : bool
        Read DN, with ``scale_factor`` and ``add_offset`` as attributes, not applied.
    offset : float or mapping of str to float, optional
        Offset in DN (``-1000``, ``0``) instead of what the metadata says, for all bands or by name.
    geobox : odc.geo.geobox.GeoBox, optional
        The wanted grid; bands in another CRS are reprojected.
    sign : str or callable, optional
        Signs remote addresses when they are opened: a function from href to href
        (``planetary_computer.sign``), its ``"module:name"``, or a registered name
        (``"planetary-computer"``; entry points ``geotoolz.signers``). A signature that is refused is asked
        for once more. It is kept nowhere.

    Returns
    -------
    xarray.Dataset
        A tile: one variable per band, attributes ``tile_id``, ``datetime``, ``platform``, … as far as
        they are known, and ``metadata_notes`` where file and metadata disagree.

    Raises
    ------
    ReadError
        If a file is missing, empty, truncated or no raster.
    MissingVariableError
        If the scene lacks a band.
    OutsideError
        If the area or the geobox does not touch the scene.
    MissingCRSError
        If neither the file nor its metadata gives a CRS.
    GridMismatchError
        If the bands have different reference systems and no geobox says what is wanted.

    Warns
    -----
    MetadataWarning
        Where a file and its metadata disagree (the file wins) or the offset is a guess.
    SuspiciousValuesWarning
        Where more than 1 % of a reflectance band lies outside -0.2 … 2.

    Examples
    --------
    >>> from geotoolz.io import open_tile
    >>> tile = open_tile("S2B_33TWL_20230820_0_L2A/", ["red", "nir"])  # doctest: +SKIP
    """
    reader = open_scene(source, bands, aoi, resolution, raw, offset=offset, geobox=geobox, sign=sign)
    ds = reader.read()
    if isinstance(source, str | os.PathLike):
        options = {"bands": bands, "aoi": aoi, "resolution": resolution, "raw": raw or None, "offset": offset}
        read = {name: value for name, value in options.items() if value is not None}
        ds.encoding.update(source=os.fspath(source), read=read)
    if not raw:
        name_suspicious(ds, reader.origin)
    return ds


def describe(
    source: Any,
    bands: BandRequest = None,
    aoi: Any = None,
    resolution: float | None = None,
    raw: bool = False,
    *,
    offset: Offset = None,
    geobox: GeoBox | None = None,
    sign: Sign = None,
) -> TileSpec:
    """Tell what `open_tile` would return, without reading a pixel.

    Parameters
    ----------
    source, bands, aoi, resolution, raw, offset, geobox, sign
        As for `open_tile`.

    Returns
    -------
    TileSpec
    """
    return open_scene(source, bands, aoi, resolution, raw, offset=offset, geobox=geobox, sign=sign).spec
