"""Rasters of one lattice laid side by side: what each holds, whether they fit, where each lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from geotoolz.core._errors import GridMismatchError, MissingCRSError, ParameterError, TileError
from geotoolz.core._grid import crs_label
from geotoolz.io._gdal import Header, opened, read_header
from geotoolz.io._tags import ATTRS_TAG, DTYPE_TAG, decode_attrs

if TYPE_CHECKING:
    from odc.geo.crs import CRS

# An origin may miss the lattice by this much, in pixels, before it counts as another one.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Kind:
    """What a band holds, as far as a mosaic needs it to be the same everywhere.

    Attributes
    ----------
    dtype : str
        As stored; bool is stored as uint8.
    nodata : float or None
    scale, offset : float
    kept : str
        ``"bool"`` for a mask that geotoolz wrote.
    """

    dtype: str
    nodata: float | None
    scale: float
    offset: float
    kept: str

    def same(self, other: Kind) -> bool:
        """Compare; NaN is NaN."""
        return repr(self) == repr(other)

    def __str__(self) -> str:
        scaled = (
            f", scale {self.scale:g}, offset {self.offset:g}" if (self.scale, self.offset) != (1, 0) else ""
        )
        return f"{self.kept or self.dtype}, no-data {self.nodata}{scaled}"


@dataclass(frozen=True)
class Piece:
    """A band of a file in its place on the mosaic."""

    path: str
    index: int
    shape: tuple[int, int]
    block: tuple[int, int]
    row: int
    col: int


@dataclass
class MosaicBand:
    """A band of the mosaic: what it holds, and its pieces, later ones on top."""

    name: str
    kind: Kind
    units: str
    attrs: dict[str, Any]
    ours: bool
    palette: Mapping[int, tuple[int, ...]]
    pieces: list[Piece] = field(default_factory=list)


@dataclass(frozen=True)
class Mosaic:
    """A mosaic without its pixels."""

    crs: CRS
    transform: Affine
    shape: tuple[int, int]
    bands: tuple[MosaicBand, ...]
    attrs: Mapping[str, Any] | None

    @property
    def files(self) -> int:
        """How many files it is made of."""
        return len({piece.path for band in self.bands for piece in band.pieces})


def lay_out(paths: Sequence[str], bands: Sequence[str] | None = None) -> Mosaic:
    """Read the files' headers, refuse what does not fit together, and find everything's place.

    Parameters
    ----------
    paths : sequence of str
        Rasters; where two overlap, the later one lies on top.
    bands : sequence of str, optional
        Bands to take, by their names; all by default. Files without any of them are left out.

    Returns
    -------
    Mosaic

    Raises
    ------
    GridMismatchError
        If CRS, pixel size or lattice differ.
    TileError
        If one band has several dtypes, no-data values or scales.
    MissingCRSError
        If a file has no CRS or lies nowhere.
    ParameterError
        If there is no file, or a wanted band is in none.
    """
    if not paths:
        raise ParameterError("there is no raster", expected="one at least")
    headers = _wanted([read_header(path) for path in paths], bands)
    first = headers[0]
    for header in headers:
        _check_grid(header, first)
    transform, shape = _outline(headers)
    found: dict[str, MosaicBand] = {}
    for header in headers:
        blocks, palettes = _stored(header)
        for index, block in enumerate(blocks, start=1):
            band = _taken(found, header, index, palettes.get(index, {}))
            row, col = (round(shift) for shift in _place(header, transform))
            band.pieces.append(Piece(header.path, index, header.shape, block, row, col))
    chosen = list(found) if bands is None else list(dict.fromkeys(bands))
    return Mosaic(_crs(first), transform, shape, tuple(found[name] for name in chosen), _common(headers))


def _wanted(headers: list[Header], bands: Sequence[str] | None) -> list[Header]:
    """Return the files that have one of the bands."""
    if bands is None:
        return headers
    named = [set(_names(header)) for header in headers]
    there = set().union(*named)
    for name in bands:
        if name not in there:
            raise ParameterError(
                f"no file has a band {name!r}", expected="one of " + ", ".join(sorted(there))
            )
    return [header for header, names in zip(headers, named, strict=True) if not names.isdisjoint(bands)]


def _names(header: Header) -> list[str]:
    return [name or f"band_{number}" for number, name in enumerate(header.names, start=1)]


def _crs(header: Header) -> CRS:
    if header.crs is None or header.transform is None:
        raise MissingCRSError(
            f"{header.path} has no CRS" if header.crs is None else f"{header.path} lies nowhere",
            expected="rasters that know where they are",
            fix="write it with a CRS, or leave it out",
        )
    return header.crs


def _check_grid(header: Header, first: Header) -> None:
    crs, wanted_crs = _crs(header), _crs(first)
    step, wanted = _step(header), _step(first)
    fix = (
        "bring the scenes onto one grid: catalog.stack(stack_grid(catalog, aoi, resolution)); "
        "or make one mosaic per CRS: catalog.filter('epsg = …')"
    )
    if crs != wanted_crs:
        raise GridMismatchError(
            f"{header.path} is in {crs_label(crs)}, {first.path} in {crs_label(wanted_crs)}",
            expected="one CRS",
            fix=fix,
        )
    if (step.b, step.d) != (0, 0) or step.a <= 0 or step.e >= 0:
        raise GridMismatchError(f"{header.path} is rotated or not north-up", expected="north-up", fix=fix)
    if (step.a, step.e) != (wanted.a, wanted.e):
        raise GridMismatchError(
            f"{header.path} has pixels of {step.a:g} × {-step.e:g}, "
            f"{first.path} of {wanted.a:g} × {-wanted.e:g}",
            expected="one pixel size",
            fix=fix,
        )
    for shift in _place(header, wanted):
        if abs(shift - round(shift)) > _TOLERANCE:
            raise GridMismatchError(
                f"the pixels of {header.path} lie {shift - round(shift):+.3f} of a pixel beside those of "
                f"{first.path}",
                expected="one lattice",
                fix=fix,
            )


def _place(header: Header, origin: Affine) -> tuple[float, float]:
    """Return rows and columns from an origin to a file's corner."""
    step = _step(header)
    return (step.f - origin.f) / origin.e, (step.c - origin.c) / origin.a


def _step(header: Header) -> Affine:
    return header.transform or Affine.identity()


def _outline(headers: Sequence[Header]) -> tuple[Affine, tuple[int, int]]:
    """Return the grid that holds all files; its corner is a corner of theirs, to the last bit."""
    steps = [_step(header) for header in headers]
    left, top = min(step.c for step in steps), max(step.f for step in steps)
    origin = Affine(steps[0].a, 0.0, left, 0.0, steps[0].e, top)
    rows = max(round(_place(h, origin)[0]) + h.shape[0] for h in headers)
    cols = max(round(_place(h, origin)[1]) + h.shape[1] for h in headers)
    return origin, (rows, cols)


def _stored(header: Header) -> tuple[list[tuple[int, int]], dict[int, Mapping[int, tuple[int, ...]]]]:
    """Return a file's blocks, band by band, and its colour tables by band."""
    from rasterio.enums import ColorInterp

    with opened(header.path) as raster:
        colours = {
            index: raster.colormap(index)
            for index, meaning in enumerate(raster.colorinterp, start=1)
            if meaning is ColorInterp.palette
        }
        return list(raster.block_shapes), colours


def _taken(
    found: dict[str, MosaicBand], header: Header, index: int, palette: Mapping[int, tuple[int, ...]]
) -> MosaicBand:
    """Return the mosaic's band that a file's band belongs to; its attributes are those that all share."""
    i = index - 1
    tags = header.tags[i]
    ours = ATTRS_TAG in tags
    attrs = decode_attrs(tags[ATTRS_TAG]) if ours else {}
    name = _names(header)[i]
    kind = Kind(
        header.dtypes[i], header.nodata[i], header.scales[i], header.offsets[i], tags.get(DTYPE_TAG, "")
    )
    if kind.dtype in ("int64", "uint64") and kind.nodata is not None:
        raise TileError(
            f"band {name!r} of {header.path} is {kind}: GDAL takes it through double precision there",
            expected="integers of 32 bits and less, or no no-data value",
            fix="write it as int32 or float64",
        )
    band = found.setdefault(name, MosaicBand(name, kind, header.units[i] or "", attrs, ours, palette))
    if not kind.same(band.kind):
        raise TileError(
            f"band {name!r} of {header.path} is {kind}, of {band.pieces[0].path} {band.kind}",
            expected="one dtype, no-data value and scale per band",
            fix="write the tiles with one pipeline, or name the bands to take with bands=…",
        )
    band.attrs = {key: value for key, value in band.attrs.items() if _equal(value, attrs.get(key))}
    band.ours = band.ours and ours
    return band


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(np.all(np.asarray(one) == np.asarray(other)))


def _common(headers: Sequence[Header]) -> Mapping[str, Any] | None:
    """Return the tile attributes that all files share, and the time they span; None for foreign files."""
    if not all(ATTRS_TAG in header.file_tags for header in headers):
        return None
    tiles = [decode_attrs(header.file_tags[ATTRS_TAG]) for header in headers]
    shared = {key: v for key, v in tiles[0].items() if all(_equal(v, tile.get(key)) for tile in tiles)}
    shared.pop("tile_id", None)
    if "datetime" not in shared:
        starts = [str(tile.get("start_datetime") or tile.get("datetime") or "") for tile in tiles]
        ends = [str(tile.get("end_datetime") or tile.get("datetime") or "") for tile in tiles]
        if all(starts) and all(ends):
            shared |= {"datetime": min(starts), "start_datetime": min(starts), "end_datetime": max(ends)}
    return shared


def relocated(mosaic: Mosaic, where: Callable[[str], str]) -> Mosaic:
    """Return the mosaic with other paths to the same files."""
    bands = tuple(
        replace(band, pieces=[replace(piece, path=where(piece.path)) for piece in band.pieces])
        for band in mosaic.bands
    )
    return replace(mosaic, bands=bands)
