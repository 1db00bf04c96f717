"""A scene opened for reading: its spec without pixels, its pixels window by window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from geotoolz.core._errors import MissingCRSError, MissingVariableError, ParameterError, TileError, nearest
from geotoolz.core._grid import tile_from_arrays
from geotoolz.core._specs import TileSpec, VarSpec
from geotoolz.io._bands import BandDef
from geotoolz.io._flags import flag_attrs
from geotoolz.io._gdal import Header, read_header
from geotoolz.io._lattice import Target, choose_target
from geotoolz.io._notices import SuspiciousValuesWarning, warn_once
from geotoolz.io._pixels import Array, Source, filled, read_band
from geotoolz.io._radiometry import Declared, NoData, Radiometry, check_offset, decide
from geotoolz.io._scene import Asset, BandRequest, SceneInfo
from geotoolz.io._sources import resolve
from geotoolz.io._tags import ATTRS_TAG, DTYPE_TAG, decode_attrs

Offset = float | Mapping[str, float] | None
_WHOLE = slice(None)
_PLAUSIBLE = (-0.2, 2.0)
_SUSPICIOUS_SHARE = 0.01


@dataclass(frozen=True)
class _Band:
    """One variable to be: where its pixels are and what they become."""

    name: str
    source: Source
    radiometry: Radiometry
    spec: VarSpec
    verbatim: bool


class SceneReader:
    """A scene with the bands and the grid that were asked for.

    Made by `open_scene`. Pixels are read when `read` or `arrays` is called; every window has the
    bits of the same part of the whole.

    Attributes
    ----------
    spec : TileSpec
        The whole tile without its pixels.
    geobox : GeoBox
        The whole tile's grid.
    origin : str
        What it was made from.
    """

    def __init__(
        self, info: SceneInfo, bands: tuple[_Band, ...], target: Target, attrs: dict[str, Any]
    ) -> None:
        self.origin = info.origin
        self._bands = {band.name: band for band in bands}
        self._target = target
        self.geobox: GeoBox = target.geobox
        sizes = {"y": target.height, "x": target.width}
        self.spec = TileSpec({b.name: b.spec for b in bands}, sizes, self.geobox, (0, 0), attrs)

    def __repr__(self) -> str:
        names = ", ".join(self._bands)
        return f"<SceneReader {self.origin}: {names}; {self._target.height} × {self._target.width}>"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The files that are read, for fingerprints."""
        return tuple(dict.fromkeys(band.source.path for band in self._bands.values()))

    def arrays(
        self, names: Iterable[str] | None = None, rows: slice = _WHOLE, cols: slice = _WHOLE
    ) -> dict[str, Array]:
        """Read a window as arrays.

        Parameters
        ----------
        names : iterable of str, optional
            Variables; all by default.
        rows, cols : slice
            The window in pixels of the whole tile.

        Returns
        -------
        dict of str to array
        """
        part = self._target.cut(rows, cols)
        return {band.name: _values(band, part) for band in self._chosen(names)}

    def read(
        self, names: Iterable[str] | None = None, rows: slice = _WHOLE, cols: slice = _WHOLE
    ) -> xr.Dataset:
        """Read a window as a tile.

        Parameters
        ----------
        names : iterable of str, optional
            Variables; all by default.
        rows, cols : slice
            The window in pixels of the whole tile.

        Returns
        -------
        xarray.Dataset
        """
        part = self._target.cut(rows, cols)
        chosen = self._chosen(names)
        return tile_from_arrays(
            {band.name: _values(band, part) for band in chosen},
            part.geobox,
            attrs=self.spec.attrs,
            var_attrs={band.name: band.spec.attrs for band in chosen},
            nodata={band.name: band.spec.nodata for band in chosen},
        )

    def _chosen(self, names: Iterable[str] | None) -> list[_Band]:
        if names is None:
            return list(self._bands.values())
        chosen = []
        for name in (names,) if isinstance(names, str) else names:
            if name not in self._bands:
                raise MissingVariableError(
                    f"{self.origin} was opened without {name!r}{nearest(name, self._bands)}; "
                    f"it has {', '.join(self._bands)}"
                )
            chosen.append(self._bands[name])
        return chosen


def open_scene(
    source: Any,
    bands: BandRequest = None,
    aoi: Any = None,
    resolution: float | None = None,
    raw: bool = False,
    *,
    offset: Offset = None,
    geobox: GeoBox | None = None,
) -> SceneReader:
    """Open a scene for reading in windows; no pixel is read yet.

    Parameters
    ----------
    source, bands, aoi, resolution, raw, offset, geobox
        As for `open_tile`.

    Returns
    -------
    SceneReader
    """
    check_offset(offset)
    info = resolve(source)
    assets = info.select(bands)
    headers: dict[str, Header] = {}
    for asset in assets:
        if asset.path not in headers:
            headers[asset.path] = read_header(asset.path)
    attrs = _kept_attrs(headers, info.origin)
    attrs = dict(info.product.attrs()) if attrs is None else attrs
    notes: list[str] = []
    grids = {asset.name: _grid(asset, headers[asset.path], info, notes) for asset in assets}
    target = choose_target(grids, info.origin, aoi, resolution, geobox)
    made = tuple(_band(asset, headers[asset.path], grids[asset.name], info, raw, offset) for asset in assets)
    notes += [f"{b.name}\x00{b.radiometry.doubt}" for b in made if b.radiometry.doubt and not raw]
    if notes:
        attrs["metadata_notes"] = _summary(notes)
        warn_once(info.origin, attrs["metadata_notes"])
    return SceneReader(info, made, target, attrs)


def _kept_attrs(headers: Mapping[str, Header], origin: str) -> dict[str, Any] | None:
    """Return the tile attributes that files of geotoolz keep, None where another program made one."""
    if not all(ATTRS_TAG in header.file_tags for header in headers.values()):
        return None
    kept = {path: decode_attrs(header.file_tags[ATTRS_TAG]) for path, header in headers.items()}
    tiles = {str(attrs.get("tile_id")): path for path, attrs in kept.items()}
    if len(tiles) > 1:
        listed = ", ".join(f"{tile} in {path}" for tile, path in list(tiles.items())[:3])
        raise TileError(
            f"{origin} holds several tiles: {listed}", expected="one tile", fix="open them one by one"
        )
    return next(iter(kept.values()))


def _summary(notes: list[str]) -> str:
    """Join notes (``"red\\x00what is odd"``) that differ by the band's name only."""
    joined: dict[str, list[str]] = {}
    for note in notes:
        name, _, rest = note.partition("\x00")
        joined.setdefault(rest, []).append(name)
    return "; ".join(f"{', '.join(names)}: {rest}" for rest, names in joined.items())


def _grid(asset: Asset, header: Header, info: SceneInfo, notes: list[str]) -> GeoBox:
    """Return a band's own grid: the file's, or the declared one where the file has none."""
    from affine import Affine

    product = info.product
    rows, cols = header.shape
    extent = asset.extent or product.extent
    declared = CRS(product.crs) if product.crs else None
    if asset.shape is not None and asset.shape != header.shape:
        notes.append(
            f"{asset.name}\x00the metadata declares {asset.shape[0]} × {asset.shape[1]} pixels, "
            f"the file has {rows} × {cols}: the file is used"
        )
    transform, crs = header.transform, header.crs
    if transform is None and extent is not None:
        left, top, right, bottom = extent
        transform = Affine((right - left) / cols, 0.0, left, 0.0, (bottom - top) / rows, top)
        notes.append(f"{asset.name}\x00the file has no georeference: the metadata's extent is used")
    if transform is None:
        raise MissingCRSError(
            f"{header.path} has no georeference and no metadata beside it gives one",
            expected="a geotransform and a CRS",
            fix="write them into the file (gdal_edit.py -a_srs EPSG:… -a_ullr …)",
        )
    if crs is None and declared is not None:
        crs = declared
        if header.transform is not None:
            notes.append(f"{asset.name}\x00the file has no CRS: the metadata's {product.crs} is used")
    elif crs is not None and declared is not None and crs != declared:
        notes.append(
            f"{asset.name}\x00the metadata declares {product.crs}, the file is in {crs}: the file is used"
        )
    if crs is None:
        raise MissingCRSError(
            f"{header.path} has no CRS and no metadata beside it gives one",
            expected="a coordinate reference system in the file, or proj:code in a STAC item",
            fix="write it into the file (gdal_edit.py -a_srs EPSG:…)",
        )
    return GeoBox((rows, cols), transform, crs)


def _band(asset: Asset, header: Header, grid: GeoBox, info: SceneInfo, raw: bool, offset: Offset) -> _Band:
    """Decide what a band's pixels become."""
    position = asset.index - 1
    if not 0 <= position < len(header.dtypes):
        raise ParameterError(f"{header.path} has {len(header.dtypes)} band(s), not band {asset.index}")
    dtype = np.dtype(header.dtypes[position])
    in_file = _typed(header.nodata[position], dtype)
    if ATTRS_TAG in header.tags[position]:
        return _kept(asset, header, grid, dtype, in_file)
    declared = asset.declared
    declared = replace(declared, nodata=in_file if in_file is not None else _typed(declared.nodata, dtype))
    own_offset = offset.get(asset.name) if isinstance(offset, Mapping) else offset
    radiometry = decide(info.product, asset.band, _scales(declared, header, position), own_offset)
    flags = _is_flags(asset.band)
    source = Source(header.path, asset.index, grid, dtype, radiometry.nodata, nearest=flags)
    scaled = not raw and not flags and (radiometry.applies or radiometry.quantity in _FLOATING)
    out = np.dtype(np.float32) if scaled and dtype.itemsize < 8 else np.dtype(np.float64) if scaled else dtype
    nodata: NoData = radiometry.nodata
    if out.kind == "f" and not raw:
        nodata = math.nan
    attrs = _attrs(asset, header, position, radiometry, raw or not scaled)
    return _Band(asset.name, source, radiometry, VarSpec(("y", "x"), out, nodata, attrs), verbatim=not scaled)


_FLOATING = ("reflectance", "surface_reflectance", "toa_reflectance", "backscatter", "brightness_temperature")


def _is_flags(band: BandDef | None) -> bool:
    return band is not None and band.kind == "flags"


def _kept(asset: Asset, header: Header, grid: GeoBox, dtype: np.dtype[Any], nodata: NoData) -> _Band:
    """Take a variable as geotoolz wrote it."""
    tags = header.tags[asset.index - 1]
    attrs = decode_attrs(tags[ATTRS_TAG])
    kept = tags.get(DTYPE_TAG)
    out = np.dtype(kept) if kept else dtype
    flags = out.kind == "b" or attrs.get("quantity") in ("flags", "mask") or "flag_meanings" in attrs
    source = Source(header.path, asset.index, grid, dtype, nodata, nearest=flags)
    return _Band(asset.name, source, Radiometry(nodata=nodata), VarSpec(("y", "x"), out, nodata, attrs), True)


def _typed(nodata: NoData, dtype: np.dtype[Any]) -> NoData:
    """Return a no-data value as the dtype holds it, None where it cannot."""
    if nodata is None:
        return None
    if dtype.kind in "iu":
        whole = not math.isnan(nodata) and float(nodata).is_integer()
        limits = np.iinfo(dtype)
        return int(nodata) if whole and limits.min <= nodata <= limits.max else None
    return float(nodata)


def _scales(declared: Declared, header: Header, position: int) -> Declared:
    """Fill in the scale that the file itself declares."""
    scale, add = header.scales[position], header.offsets[position]
    if declared.scale is None and (scale, add) != (1.0, 0.0):
        return replace(declared, scale=scale, offset=add)
    return declared


def _attrs(asset: Asset, header: Header, position: int, radiometry: Radiometry, raw: bool) -> dict[str, Any]:
    band = asset.band
    attrs: dict[str, Any] = {"long_name": band.title if band else header.names[position] or asset.name}
    attrs |= radiometry.attrs(raw)
    attrs["data_source"] = PurePath(header.path).name
    if band is not None:
        attrs["sensor_band"] = band.sensor_name
        if band.wavelength is not None:
            attrs["wavelength_nm"] = float(band.wavelength)
        if band.kind == "flags":
            attrs |= flag_attrs(asset.band.name if asset.band else asset.name)
    return attrs


def _values(band: _Band, part: Target) -> Array:
    pixels, valid = read_band(band.source, part)
    if band.verbatim:
        pixels = filled(band.source, pixels, valid, band.name)
        if band.spec.dtype.kind == "f" and band.spec.nodata is not None and math.isnan(band.spec.nodata):
            own = band.source.nodata
            if own is not None and not math.isnan(own):
                pixels[pixels == own] = math.nan
        return pixels.astype(band.spec.dtype, copy=False)
    if pixels.dtype == band.source.dtype:
        values = band.radiometry.values(pixels)
    else:  # averaged or interpolated: no-data is told by `valid`
        values = replace(band.radiometry, nodata=None).values(pixels)
    if valid is not None:
        values[~valid] = math.nan
    return values.astype(band.spec.dtype, copy=False)


def name_suspicious(ds: xr.Dataset, origin: str) -> None:
    """Warn where more than 1 % of a reflectance lies outside -0.2 … 2."""
    for name, variable in ds.data_vars.items():
        if "reflectance" not in str(variable.attrs.get("quantity")) or variable.size == 0:
            continue
        step = max(1, math.isqrt(variable.size // 250_000))
        sample = variable.values[..., ::step, ::step]
        sample = sample[~np.isnan(sample)]
        if sample.size == 0:
            continue
        share = float(((sample < _PLAUSIBLE[0]) | (sample > _PLAUSIBLE[1])).mean())
        if share > _SUSPICIOUS_SHARE:
            warn_once(
                origin,
                f"{share:.1%} of {name} lies outside {_PLAUSIBLE[0]} … {_PLAUSIBLE[1]} "
                f"(scale and offset by {variable.attrs.get('offset_source', 'nobody')}); say offset=… if it is wrong",
                SuspiciousValuesWarning,
            )
