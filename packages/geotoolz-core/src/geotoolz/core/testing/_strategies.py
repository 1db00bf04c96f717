"""Hypothesis strategies for tiles, grids and windows: small, and full of what breaks operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from geotoolz.core._grid import tile_from_arrays

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

CRSES = ("EPSG:32633", "EPSG:32733", "EPSG:3035", "EPSG:3857", "EPSG:4326")
DTYPES = ("uint16", "float32", "int16", "uint8")
_DEGREE = 2.0**-13  # about 13.6 m; a power of two, so that degrees add up as metres do
_FLAGS = {"scl": "uint8", "qa60": "uint16", "qa_pixel": "uint16"}
_FLAG_VALUES = {
    "scl": tuple(range(12)),
    "qa60": (0, 1024, 2048, 3072),
    "qa_pixel": (1, 21824, 21952, 21762, 22280, 23888, 54596, 55052),
}


def shapes(max_side: int = 9) -> st.SearchStrategy[tuple[int, int]]:
    """Return shapes of tiles: one pixel, one row, one column, and anything up to ``max_side``."""
    side = st.integers(1, max_side)
    return st.one_of(
        st.tuples(side, side), st.just((1, 1)), side.map(lambda n: (1, n)), side.map(lambda n: (n, 1))
    )


@st.composite
def geoboxes(
    draw: st.DrawFn,
    shape: tuple[int, int] | None = None,
    *,
    max_side: int = 9,
    crs: str | Sequence[str | None] | None = CRSES,
) -> GeoBox:
    """Draw north-up grids in several kinds of CRS, far from and near to the origin.

    Parameters
    ----------
    draw : callable
        Given by hypothesis.
    shape : (int, int), optional
        Rows and columns; drawn by default.
    max_side : int
        The most rows or columns drawn.
    crs : str, sequence of str, or None
        The CRS, those to draw from, or none at all.

    Returns
    -------
    SearchStrategy of odc.geo.geobox.GeoBox
        Axis-aligned; the corner is a whole number of pixels from the origin.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(geoboxes(crs="EPSG:32633"), lambda box: True).crs.epsg
    32633
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    size = shape if shape is not None else draw(shapes(max_side))
    code = crs if crs is None or isinstance(crs, str) else draw(st.sampled_from(list(crs)))
    if code is not None and code.upper() == "EPSG:4326":
        res = draw(st.sampled_from([_DEGREE, 4 * _DEGREE]))
        left, top = draw(st.integers(-179, 170)) * 1.0, draw(st.integers(-70, 80)) * 1.0
    else:
        res = draw(st.sampled_from([10.0, 20.0, 30.0, 60.0, 0.5]))
        # Somewhere that exists in every CRS of the list; the Landsat trap of a negative northing has its
        # own tests.
        left, top = (
            480_000.0 + res * draw(st.integers(0, 4000)),
            5_000_000.0 + res * draw(st.integers(0, 4000)),
        )
        if code == "EPSG:3035":
            left, top = left + 4_000_000.0, top - 2_000_000.0
    return GeoBox(size, Affine(res, 0.0, left, 0.0, -res, top), code)


@st.composite
def windows(draw: st.DrawFn, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Draw windows ``(y0, y1, x0, x1)`` of at least one pixel within a shape.

    Parameters
    ----------
    draw : callable
        Given by hypothesis.
    shape : (int, int)
        Rows and columns of the whole.

    Returns
    -------
    SearchStrategy of (int, int, int, int)
        The whole, rows, columns, corners and single pixels come often.

    Examples
    --------
    >>> from hypothesis import find
    >>> y0, y1, x0, x1 = find(windows((4, 5)), lambda w: w[3] - w[2] == 2)
    >>> x1 - x0
    2
    """
    out: list[int] = []
    for size in shape:
        kind = draw(st.sampled_from(["whole", "any", "first", "last", "one"]))
        start, stop = 0, size
        if kind == "any":
            start = draw(st.integers(0, size - 1))
            stop = draw(st.integers(start + 1, size))
        elif kind == "first":
            stop = draw(st.integers(1, size))
        elif kind == "last":
            start = draw(st.integers(0, size - 1))
        elif kind == "one":
            start = draw(st.integers(0, size - 1))
            stop = start + 1
        out += [start, stop]
    return out[0], out[1], out[2], out[3]


@st.composite
def tiles(
    draw: st.DrawFn,
    bands: Sequence[str] = ("red", "nir"),
    *,
    dtypes: str | Sequence[str] | Mapping[str, str] = DTYPES,
    shape: tuple[int, int] | None = None,
    max_side: int = 9,
    crs: str | Sequence[str | None] | None = CRSES,
    nodata: bool = True,
    foreign: bool = True,
    times: int | None = None,
    quantity: str | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Draw small tiles with what breaks operators: one pixel, plateaus, extremes, gaps, foreign things.

    Parameters
    ----------
    draw : callable
        Given by hypothesis.
    bands : sequence of str
        Names of the variables. ``scl``, ``qa60`` and ``qa_pixel`` get valid codes of their product.
    dtypes : str, sequence of str, or mapping of str to str
        The dtype, those to draw one per tile from, or one per band.
    shape : (int, int), optional
        Rows and columns; drawn by default.
    max_side : int
        The most rows or columns drawn.
    crs : str, sequence of str, or None
        As in `geoboxes`.
    nodata : bool
        Whether pixels may lack data. Integer bands then have a ``_FillValue``; floats always use NaN.
    foreign : bool
        Whether variables and attributes that no operator knows may be there; they must survive.
    times : int, optional
        Make a stack of so many dates, dims ``(time, y, x)``.
    quantity : str, optional
        What the bands mean; by default reflectance for floats and DN for integers.
    attrs : mapping, optional
        Attributes of the Dataset that replace the drawn ones.

    Returns
    -------
    SearchStrategy of xarray.Dataset

    Examples
    --------
    >>> from hypothesis import find
    >>> ds = find(tiles(("red",), dtypes="uint16", foreign=False), lambda ds: ds.sizes["x"] == 3)
    >>> ds.sizes["x"], ds.red.dtype.name
    (3, 'uint16')
    """
    box = draw(geoboxes(shape, max_side=max_side, crs=crs))
    size = ((times,) if times is not None else ()) + (int(box.shape[0]), int(box.shape[1]))
    dims = ("time", "y", "x") if times is not None else ("y", "x")
    common = draw(st.sampled_from([dtypes] if isinstance(dtypes, str) else list(dtypes))) if bands else ""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    hole = _hole(draw, size, rng) if nodata else np.zeros(size, dtype=bool)
    arrays: dict[str, Any] = {}
    var_attrs: dict[str, dict[str, Any]] = {}
    fills: dict[str, float | int | None] = {}
    for name in bands:
        dtype = np.dtype(_FLAGS.get(name) or (dtypes[name] if isinstance(dtypes, Mapping) else common))
        arrays[name], fills[name] = _band(draw, name, dtype, size, hole, rng, nodata)
        var_attrs[name] = _attrs(name, dtype, quantity)
    if foreign and draw(st.booleans()):
        arrays["foreign_mask"] = rng.random(size) < 0.5
        arrays["foreign_count"] = rng.integers(-9, 9, size).astype("int32")
        var_attrs |= {
            "foreign_mask": {"quantity": "mask"},
            "foreign_count": {"units": "count", "foreign": [1, 2]},
        }
    coords = {"time": _days(times)} if times is not None else None
    own = {**_tile_attrs(draw, foreign), **(attrs or {})}
    named = {name: (dims, values) for name, values in arrays.items()}
    return tile_from_arrays(named, box, attrs=own, var_attrs=var_attrs, nodata=fills, coords=coords)


def _days(count: int) -> Any:
    import xarray as xr

    days = np.datetime64("2023-03-01T10:00:31", "ns") + 20 * np.arange(count) * np.timedelta64(
        86_400_000_000_000, "ns"
    )
    return xr.Variable(("time",), days)


def _hole(draw: st.DrawFn, size: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw where data are missing: nowhere, in a rectangle, at scattered pixels, everywhere."""
    kind = draw(st.sampled_from(["none", "patch", "scattered", "all"]))
    hole = np.zeros(size, dtype=bool)
    if kind == "patch":
        y0, y1, x0, x1 = draw(windows((size[-2], size[-1])))
        hole[..., y0:y1, x0:x1] = True
    elif kind == "scattered":
        hole = rng.random(size) < 0.3
    elif kind == "all":
        hole[...] = True
    return hole


def _band(
    draw: st.DrawFn, name: str, dtype: np.dtype[Any], size: tuple[int, ...], hole: npt.NDArray[np.bool_],
    rng: np.random.Generator, nodata: bool,
) -> tuple[npt.NDArray[Any], float | int | None]:  # fmt: skip
    """Draw one band and its no-data value."""
    if name in _FLAGS:
        codes = _FLAG_VALUES[name]
        fill = {"scl": 0, "qa_pixel": 1}.get(name)
        usable = [c for c in codes if c != fill]
        values = rng.choice(np.array(usable, dtype=dtype), size)
        if nodata and fill is not None:
            values[hole] = fill
        return values, fill if nodata else None
    values = _values(draw, dtype, size, rng)
    if dtype.kind == "f":
        values[hole] = np.nan
        return values, float("nan")
    if not nodata:
        return values, None
    choices = [0] if dtype.kind == "u" else [0, -9999 if dtype.itemsize > 1 else -128]
    fill = draw(st.sampled_from([*choices, int(np.iinfo(dtype).max)]))
    # What is not meant to be missing must not look so.
    values[values == fill] = 1
    values[hole] = fill
    return values, fill


def _values(
    draw: st.DrawFn, dtype: np.dtype[Any], size: tuple[int, ...], rng: np.random.Generator
) -> npt.NDArray[Any]:
    kind = draw(st.sampled_from(["random", "plateau", "ramp", "extremes"]))
    real = dtype.kind == "f"
    if real:
        low, high, special = 0.0, 1.0, [0.0, -0.05, 1.0, 1.6, 1e-7, 3e4]
    else:
        info = np.iinfo(dtype)
        low, high = 1.0, float(min(info.max - 1, 10_000))
        special = [0, 1, info.min, info.max, info.max - 1]
    if kind == "random":
        out = low + (high - low) * rng.random(size)
    elif kind == "plateau":
        out = np.full(size, low + (high - low) * rng.random())
        if draw(st.booleans()):  # one perturbed pixel
            out.flat[rng.integers(out.size)] = high
    elif kind == "ramp":
        out = np.linspace(low, high, int(np.prod(size))).reshape(size)
    else:
        return rng.choice(np.array(special, dtype=dtype), size)
    return out.astype(dtype)


def _attrs(name: str, dtype: np.dtype[Any], quantity: str | None) -> dict[str, Any]:
    if name in _FLAGS:
        return {"long_name": name, "quantity": "flags"}
    meaning = quantity or ("surface_reflectance" if dtype.kind == "f" else "dn")
    return {"long_name": f"drawn {name}", "units": "1", "data_source": "hypothesis", "quantity": meaning}


def _tile_attrs(draw: st.DrawFn, foreign: bool) -> dict[str, Any]:
    sensor = draw(st.sampled_from([("sentinel-2a", "msi", "L2A"), ("landsat-8", "oli", "L2SP")]))
    attrs: dict[str, Any] = {
        "tile_id": f"drawn_{draw(st.integers(0, 99))}",
        "datetime": "2023-06-18T10:00:31Z",
        "platform": sensor[0],
        "instrument": sensor[1],
        "processing_level": sensor[2],
        "sun_azimuth": 150.0,
        "sun_elevation": 60.0,
    }
    if sensor[1] == "msi":
        attrs["processing_baseline"] = "05.09"
    if foreign and draw(st.booleans()):
        attrs |= {"foreign:note": "kept", "foreign:list": [1, 2.5]}
    return attrs
