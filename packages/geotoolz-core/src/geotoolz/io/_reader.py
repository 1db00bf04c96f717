"""A scene opened for reading: its spec without pixels, its pixels window by window."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affine import Affine

from geotoolz.core._errors import MissingCRSError, MissingVariableError, TileError, nearest
from geotoolz.core._grid import tile_from_arrays
from geotoolz.core._lazy import xr
from geotoolz.core._specs import TileSpec
from geotoolz.io._gdal import Header, is_remote, read_header, stamp_of
from geotoolz.io._lattice import Target, choose_target, north_up
from geotoolz.io._notices import warn_once
from geotoolz.io._radiometry import check_offset
from geotoolz.io._readers import OpenScene, reader_for
from geotoolz.io._resample import Array
from geotoolz.io._scene import Asset, BandRequest, SceneInfo
from geotoolz.io._side_by_side import side_by_side
from geotoolz.io._sign import Sign, Signer, signer
from geotoolz.io._sources import resolve
from geotoolz.io._tags import ATTRS_TAG, decode_attrs
from geotoolz.io._together import values_together
from geotoolz.io._variables import Band, Offset, make_band

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


_WHOLE = slice(None)


class SceneReader(OpenScene):
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
    stamps : dict
        File → what tells whether it is still the same one.
    """

    def __init__(
        self, info: SceneInfo, bands: tuple[Band, ...], target: Target, attrs: dict[str, Any]
    ) -> None:
        self.origin: str = info.origin
        self._bands = {band.name: band for band in bands}
        self._target = target
        self.geobox: GeoBox = target.geobox
        sizes = {"y": target.height, "x": target.width}
        self.stamps: dict[str, Any] = {path: stamp_of(path) for path in self.inputs}
        self.spec: TileSpec = TileSpec({b.name: b.spec for b in bands}, sizes, self.geobox, (0, 0), attrs)

    def __repr__(self) -> str:
        names = ", ".join(self._bands)
        return f"<SceneReader {self.origin}: {names}; {self._target.height} × {self._target.width}>"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The files that are read, for fingerprints."""
        return tuple(dict.fromkeys(band.source.path for band in self._bands.values()))

    def files_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the files that some variables are read from."""
        return tuple(dict.fromkeys(band.source.path for band in self._chosen(names)))

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
        return values_together(self._chosen(names), part)

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
        tile = tile_from_arrays(
            values_together(chosen, part),
            part.geobox,
            attrs=self.spec.attrs,
            var_attrs={band.name: band.spec.attrs for band in chosen},
            nodata={band.name: band.spec.nodata for band in chosen},
        )
        for band in chosen:  # as xarray says it: drivers tell it to the files that they write
            tile.variables[band.name].encoding["source"] = band.source.path
        return tile

    def _chosen(self, names: Iterable[str] | None) -> list[Band]:
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
    sign: Sign = None,
) -> OpenScene:
    """Open a scene for reading in windows; no pixel is read yet.

    Parameters
    ----------
    source, bands, aoi, resolution, raw, offset, geobox, sign
        As for `open_tile`.

    Returns
    -------
    SceneReader
        Or what a reader of cubes and swaths gives, which behaves like one.
    """
    check_offset(offset)
    own = _opened_by_reader(source, bands, aoi, resolution, raw, offset, geobox)
    if own is not None:
        return own
    key = signer(sign)
    info = resolve(source, key)
    assets = info.select(bands)
    paths = list(dict.fromkeys(asset.path for asset in assets))
    found = side_by_side(lambda path: read_header(path, key), paths, any(map(is_remote, paths)))
    headers: dict[str, Header] = dict(zip(paths, found, strict=True))
    attrs = _kept_attrs(headers, info.origin)
    attrs = dict(info.product.attrs()) if attrs is None else attrs
    notes: list[str] = []
    grids = {asset.name: _grid(asset, headers[asset.path], info, notes) for asset in assets}
    target = choose_target(grids, info.origin, aoi, resolution, geobox)
    made = tuple(
        make_band(asset, headers[asset.path], grids[asset.name], info, raw, offset) for asset in assets
    )
    made = tuple(_as_it_lies(band, headers[band.source.path], key) for band in made)
    notes += [f"{b.name}\x00{b.radiometry.doubt}" for b in made if b.radiometry.doubt and not raw]
    if notes:
        attrs["metadata_notes"] = _summary(notes)
        warn_once(info.origin, attrs["metadata_notes"])
    return SceneReader(info, made, target, attrs)


def _as_it_lies(band: Band, header: Header, key: Signer | None) -> Band:
    """Return a band that signs its address, and knows whether its file begins in the south."""
    turned = header.transform is not None and header.transform.e * band.source.grid.affine.e < 0
    if key is None and not turned:
        return band
    return replace(band, source=replace(band.source, sign=key, turned=turned))


def _opened_by_reader(source: Any, *asked: Any) -> OpenScene | None:
    """Let the reader of a product that is no set of rasters open it."""
    if not isinstance(source, str | os.PathLike) or is_remote(os.fspath(source)):
        return None
    path = Path(os.fspath(source))
    reader = reader_for(path)
    return None if reader is None else reader.open(path, *asked)


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
    """Join notes that differ by the band's name only; a zero byte parts the name from the rest."""
    joined: dict[str, list[str]] = {}
    for note in notes:
        name, _, rest = note.partition("\x00")
        joined.setdefault(rest, []).append(name)
    return "; ".join(f"{', '.join(names)}: {rest}" for rest, names in joined.items())


def _grid(asset: Asset, header: Header, info: SceneInfo, notes: list[str]) -> GeoBox:
    """Return a band's own grid: the file's, or the declared one where the file has none."""
    product = info.product
    rows, cols = header.shape
    extent = asset.extent or product.extent
    from odc.geo.crs import CRS

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
    from odc.geo.geobox import GeoBox

    # a tile that was mirrored and written comes back as it was; other files are read north-up
    if header.transform is not None and ATTRS_TAG not in header.file_tags:
        transform = north_up(transform, rows)
    return GeoBox((rows, cols), transform, crs)
