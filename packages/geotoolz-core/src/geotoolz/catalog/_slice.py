"""GeoSlice: one piece of space and time of some sources, without its pixels."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from geotoolz.catalog._time import iso, parse_instant
from geotoolz.core._errors import MissingCRSError, ParameterError, nearest

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog._open import OpenSlice
    from geotoolz.io._sign import Sign

Scalar = str | int | float | bool
Time = datetime | tuple[datetime, datetime]

# A grid may miss a whole number of pixels by this much (in pixels): the noise of decimal coordinates.
_SNAP = 1e-6


@dataclass(frozen=True, eq=True)
class GeoSlice:
    """A piece of space and time, and where its pixels are.

    Hashable, picklable, and exact through JSON: what `to_dict` gives, `from_dict` turns into an equal slice.

    Parameters
    ----------
    bounds : tuple of float
        Left, bottom, right, top in `crs`.
    crs : str
        Anything that names a CRS; kept as ``EPSG:…`` where it has a code, else as WKT.
    resolution : float or tuple of float, optional
        Pixel size in x and y, positive, in the CRS's units.
    shape : tuple of int, optional
        Rows and columns. Needed where `resolution` is not given; the two must agree where both are.
    time : datetime, str, or pair of those, optional
        An instant, or a closed interval.
    sources : tuple of str
        Paths or URIs: a raster, a folder, or a STAC item.
    tile_id : str
        The tile's name; outputs are called after it.
    bands : tuple of str, optional
        Bands to read; all of them where None.
    attrs : mapping of str to scalar, optional
        What else is known of the tile (``platform``, columns of the catalog); set on the Dataset where the
        reader has not found it itself. Kept as sorted pairs.
    item : mapping or str, optional
        A STAC item that is in no file; read in place of the sources. Kept as canonical JSON.

    Raises
    ------
    ParameterError
        If a field cannot be, or fields contradict each other.

    Examples
    --------
    >>> s = GeoSlice((500000, 5099000, 501000, 5100000), "EPSG:32633", 10.0, tile_id="a")
    >>> s.shape, s == GeoSlice.from_dict(s.to_dict())
    ((100, 100), True)
    """

    bounds: tuple[float, float, float, float]
    crs: str
    resolution: tuple[float, float] | None = None
    shape: tuple[int, int] | None = None
    time: Time | None = None
    sources: tuple[str, ...] = ()
    tile_id: str = ""
    bands: tuple[str, ...] | None = None
    attrs: tuple[tuple[str, Scalar], ...] = ()
    item: str | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__  # the class is frozen; this is its constructor
        put(self, "bounds", _bounds(self.bounds))
        put(self, "crs", crs_text(self.crs))
        resolution, shape = _grid(self.bounds, self.resolution, self.shape)
        put(self, "resolution", resolution)
        put(self, "shape", shape)
        put(self, "time", _time(self.time))
        put(self, "sources", _strings("sources", self.sources))
        if self.bands is not None:
            put(self, "bands", _strings("bands", self.bands))
        if not isinstance(self.tile_id, str):
            raise ParameterError(f"tile_id is {self.tile_id!r}", expected="a string")
        put(self, "attrs", _attrs(self.attrs))
        put(self, "item", _item(self.item))

    @classmethod
    def from_geobox(cls, geobox: GeoBox, **other: Any) -> GeoSlice:
        """Make a slice of exactly a grid.

        Parameters
        ----------
        geobox : GeoBox
            North-up, with a CRS.
        **other
            The other fields.

        Raises
        ------
        ParameterError
            If the grid is rotated, sheared or south-up.
        """
        a = geobox.affine
        if geobox.crs is None:
            raise MissingCRSError("the grid has no CRS", fix="give the GeoBox a CRS")
        if a.b != 0 or a.d != 0 or a.a <= 0 or a.e >= 0:
            raise ParameterError(
                f"the grid has the transform {tuple(a)[:6]}", expected="a north-up grid without rotation"
            )
        rows, cols = map(int, geobox.shape)
        bounds = (a.c, a.f + a.e * rows, a.c + a.a * cols, a.f)
        return cls(bounds, str(geobox.crs), (a.a, -a.e), (rows, cols), **other)

    @property
    def geobox(self) -> GeoBox:
        """The grid: its corner is the slice's left and top, bit for bit."""
        from affine import Affine
        from odc.geo.geobox import GeoBox

        rx, ry = cast("tuple[float, float]", self.resolution)
        affine = Affine(rx, 0.0, self.bounds[0], 0.0, -ry, self.bounds[3])
        return GeoBox(cast("tuple[int, int]", self.shape), affine, self.crs)

    @property
    def interval(self) -> tuple[datetime, datetime] | None:
        """First and last instant, equal for an instant; None where no time is known."""
        if self.time is None or isinstance(self.time, tuple):
            return self.time
        return (self.time, self.time)

    @property
    def key(self) -> str:
        """SHA-256 of the slice's canonical JSON: the same in every process and on every machine."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def load(self, bands: Sequence[str] | None = None, raw: bool = False, *, sign: Sign = None) -> xr.Dataset:
        """Read the slice's pixels.

        Parameters
        ----------
        bands : sequence of str, optional
            Bands to read; the slice's own choice where None.
        raw : bool
            Digital numbers as stored, without scale and offset.
        sign : str or callable, optional
            Signs remote addresses, as for `geotoolz.io.open_tile`.

        Returns
        -------
        xarray.Dataset
            A tile on exactly this slice's grid.
        """
        from geotoolz.catalog._load import load_slice

        return load_slice(self, bands, raw, sign)

    def open(self, *, sign: Sign = None) -> OpenSlice:
        """Open the slice for reading in windows; no pixel is read yet.

        Parameters
        ----------
        sign : str or callable, optional
            Signs remote addresses, as for `geotoolz.io.open_tile`.

        Returns
        -------
        OpenSlice
            With ``spec`` and ``arrays(names, rows, cols)``: what `geotoolz.core.freeze` and streams take.
        """
        from geotoolz.catalog._open import OpenSlice

        return OpenSlice(self, sign)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; fields without a value are left out."""
        out: dict[str, Any] = {"bounds": list(self.bounds), "crs": self.crs}
        out["resolution"] = list(cast("tuple[float, float]", self.resolution))
        out["shape"] = list(cast("tuple[int, int]", self.shape))
        if self.time is not None:
            out["time"] = [iso(t) for t in self.time] if isinstance(self.time, tuple) else iso(self.time)
        out["sources"] = list(self.sources)
        out["tile_id"] = self.tile_id
        if self.bands is not None:
            out["bands"] = list(self.bands)
        if self.attrs:
            out["attrs"] = dict(self.attrs)
        if self.item is not None:
            out["item"] = json.loads(self.item)
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GeoSlice:
        """Make a slice of what `to_dict` gave.

        Raises
        ------
        ParameterError
            If a key is unknown or missing.
        """
        if not isinstance(data, Mapping):
            raise ParameterError(
                f"got {type(data).__name__}", expected="a mapping as GeoSlice.to_dict gives it"
            )
        known = [f.name for f in fields(cls)]
        for name in data:
            if name not in known:
                raise ParameterError(
                    f"a slice has no field {name!r}{nearest(str(name), known)}", expected=", ".join(known)
                )
        for name in ("bounds", "crs"):
            if name not in data:
                raise ParameterError(f"the slice has no {name!r}", expected="at least bounds and crs")
        return cls(**data)


@lru_cache(maxsize=256)
def crs_text(crs: object) -> str:
    """Return ``EPSG:…`` (or another authority's code) where the CRS has one, else its WKT."""
    from odc.geo.crs import CRS
    from pyproj.exceptions import CRSError

    try:
        parsed = CRS(crs)
    except (CRSError, ValueError, TypeError) as err:
        raise ParameterError(f"crs is {crs!r}", expected="a CRS such as 'EPSG:32633'") from err
    code = parsed.proj.to_authority(min_confidence=100)
    if code:
        return ":".join(code)
    text = str(parsed.to_wkt())
    # PROJ renames parts of some CRSs when it reads its own text; stop where it no longer does
    for _ in range(3):
        again = str(CRS(text).to_wkt())
        if again == text:
            break
        text = again
    return text


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise ParameterError(f"{name} is {value!r}", expected="a number")
    number = float(value)
    if not math.isfinite(number):
        raise ParameterError(f"{name} is {number}", expected="a finite number")
    return number


def _numbers(name: str, value: object, count: int) -> tuple[float, ...]:
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        numbers = tuple(_number(name, v) for v in cast("Sequence[object]", value))
    except TypeError:
        numbers = ()
    if len(numbers) != count:
        raise ParameterError(f"{name} is {value!r}", expected=f"{count} numbers")
    return numbers


def _bounds(value: object) -> tuple[float, float, float, float]:
    left, bottom, right, top = _numbers("bounds", value, 4)
    if left >= right or bottom >= top:
        raise ParameterError(
            f"bounds are {(left, bottom, right, top)}", expected="left < right and bottom < top"
        )
    return (left, bottom, right, top)


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ParameterError(f"{name} is {value!r}", expected="whole numbers")
    return int(value.__index__())


def _grid(
    bounds: tuple[float, ...], resolution: object, shape: object
) -> tuple[tuple[float, float], tuple[int, int]]:
    """Return resolution and shape, each from the other where only one is given."""
    if resolution is None and shape is None:
        raise ParameterError("neither resolution nor shape is given", expected="one of the two")
    extent = (bounds[2] - bounds[0], bounds[3] - bounds[1])
    rows_cols: tuple[int, int] | None = None
    if shape is not None:
        parts = tuple(cast("Sequence[object]", shape)) if hasattr(shape, "__iter__") else (shape,)
        if len(parts) != 2:
            raise ParameterError(f"shape is {shape!r}", expected="rows and columns")
        rows_cols = (_integer("shape", parts[0]), _integer("shape", parts[1]))
        if min(rows_cols) < 1:
            raise ParameterError(f"shape is {rows_cols}", expected="at least one row and one column")
    if resolution is None and rows_cols is not None:
        return (extent[0] / rows_cols[1], extent[1] / rows_cols[0]), rows_cols
    if not hasattr(resolution, "__iter__"):
        resolution = (resolution, resolution)
    rx, ry = _numbers("resolution", resolution, 2)
    if rx <= 0 or ry <= 0:
        raise ParameterError(f"resolution is {(rx, ry)}", expected="positive pixel sizes")
    return (rx, ry), _count(extent, (rx, ry), rows_cols)


def _count(
    extent: tuple[float, float], res: tuple[float, float], shape: tuple[int, int] | None
) -> tuple[int, int]:
    """Return rows and columns, or say that the extent is no whole number of pixels."""
    cols, rows = extent[0] / res[0], extent[1] / res[1]
    whole = shape or (max(round(rows), 1), max(round(cols), 1))
    # big grids of decimal degrees carry more noise than small ones
    slack = _SNAP * max(1.0, max(whole) / 1000)
    if abs(rows - whole[0]) > slack or abs(cols - whole[1]) > slack:
        raise ParameterError(
            f"{extent[0]} × {extent[1]} at {res[0]} × {res[1]} make {rows:.6f} rows and {cols:.6f} columns",
            expected=f"shape {whole}" if shape else "whole numbers of pixels",
            fix="snap the bounds to the resolution (GeoBox.from_bbox does), or give shape alone",
        )
    return whole


def _time(value: object) -> Time | None:
    if value is None:
        return None
    if not isinstance(value, (tuple, list)):
        return parse_instant(value)
    if len(value) != 2:
        raise ParameterError(f"time is {value!r}", expected="an instant or (start, end)")
    start, end = parse_instant(value[0]), parse_instant(value[1])
    if end < start:
        raise ParameterError(f"time ends before it starts: {value!r}", fix="swap the two ends")
    return (start, end)


def _strings(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise ParameterError(f"{name} is {value!r}", expected="a tuple of strings")
    out = tuple(value.__iter__())
    for each in out:
        if not isinstance(each, str) or not each:
            raise ParameterError(f"{name} holds {each!r}", expected="strings that are not empty")
    if name == "bands" and (not out or len(set(out)) != len(out)):
        raise ParameterError(f"bands are {out}", expected="at least one band, each once")
    return out


def _attrs(value: object) -> tuple[tuple[str, Scalar], ...]:
    pairs = dict(cast("Any", value))
    for name, each in pairs.items():
        if not isinstance(name, str) or not isinstance(each, (str, int, float, bool)):
            raise ParameterError(f"attrs holds {name!r}: {each!r}", expected="strings, numbers and booleans")
        if isinstance(each, float) and not math.isfinite(each):
            raise ParameterError(f"attrs holds {name!r}: {each!r}", expected="finite numbers")
    return tuple(sorted(pairs.items()))


def _item(value: object) -> str | None:
    if value is None:
        return None
    data = json.loads(value) if isinstance(value, str) else value
    if not isinstance(data, Mapping) or not isinstance(data.get("assets"), Mapping):
        raise ParameterError("item has no assets", expected="a STAC item as a mapping or JSON text")
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
