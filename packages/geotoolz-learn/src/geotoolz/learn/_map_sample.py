"""From a map of classes to what its assessment needs: mapped areas, and places to look at."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import ParameterError, QuantityError, TileError, TileSpec, is_flags
from geotoolz.core._lazy import xr
from geotoolz.learn._classes import flag_names
from geotoolz.learn._fit import ShortfallWarning
from geotoolz.learn._folds_base import check_count

if TYPE_CHECKING:
    import geopandas as gpd

    Tiles = xr.Dataset | Sequence[xr.Dataset]

Array = np.ndarray[Any, Any]
_SQUARE_METRES = {"m2": 1.0, "ha": 1e4, "km2": 1e6}


def mapped_areas(
    tiles: Tiles, name: str = "label", *, unit: Literal["m2", "ha", "km2"] = "ha"
) -> dict[int, float]:
    """Return the area that a map gives to each class.

    Parameters
    ----------
    tiles : xarray.Dataset or sequence of xarray.Dataset
        The map; tiles of one map must not overlap. One tile's pixels are held at a time.
    name : str
        The variable with the classes; its no-data counts for nothing.
    unit : {"m2", "ha", "km2"}
        Of the areas.

    Returns
    -------
    dict of int to float
        Class → area, with 0 for a class of the legend that does not occur. `area_estimates` takes it.

    Raises
    ------
    QuantityError
        If a tile's CRS counts in degrees, or the variable holds measurements.
    TileError
        If the variable lies along more than ``y`` and ``x``, or there is no tile.
    MissingVariableError
        If a tile lacks the variable.

    Notes
    -----
    Areas are those of the map projection: in a UTM zone within 0.1 %, in web Mercator useless far from the
    equator. An equal-area projection is exact.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import mapped_areas
    >>> tile = simulate_scene((20, 20), bands=("red", "scl"), cloud_cover=0)
    >>> round(sum(mapped_areas(tile, "scl").values()), 6)
    4.0
    """
    if unit not in _SQUARE_METRES:
        raise ParameterError(f"unit={unit!r}", expected=f"one of {', '.join(_SQUARE_METRES)}")
    areas: dict[int, float] = {}
    for tile in _listed(tiles):
        pixel = _pixel_area(tile) / _SQUARE_METRES[unit]
        codes, counts, legend = classes_of(tile, name)
        for code in legend:
            areas.setdefault(code, 0.0)
        for code, count in zip(codes, counts, strict=True):
            areas[code] = areas.get(code, 0.0) + count * pixel
    return dict(sorted(areas.items()))


def sample_map(
    tiles: Tiles, per_class: int | Mapping[int, int], name: str = "label", *, seed: int = 0
) -> gpd.GeoDataFrame:
    """Draw places of a map at random within each of its classes: the sample that `area_estimates` wants.

    Every pixel of a class has the same chance, in whatever tile it lies, and none is drawn twice. What is
    truly there has to be found out independently of the map.

    Parameters
    ----------
    tiles : xarray.Dataset or sequence of xarray.Dataset
        The map; gone through twice, one tile at a time.
    per_class : int or mapping of int to int
        Pixels of every class, or of each. Olofsson et al. (2014) advise 50 to 100 for rare classes, and the
        rest by area.
    name : str
        The variable with the classes.
    seed : int
        Another seed, other places.

    Returns
    -------
    geopandas.GeoDataFrame
        A point per pixel, in the CRS of the first tile: ``mapped`` (the class), ``mapped_name``, ``tile_id``,
        ``row``, ``col``; in an order that gives nothing away.

    Raises
    ------
    ParameterError
        If a class does not occur, or the numbers are none.
    MissingCRSError, QuantityError, TileError, MissingVariableError
        As for `mapped_areas`.

    Warns
    -----
    ShortfallWarning
        If a class has fewer pixels than were asked for; all of them are taken.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import sample_map
    >>> tile = simulate_scene((40, 40), bands=("red", "scl"), cloud_cover=0)
    >>> sample_map(tile, {4: 5}, "scl").mapped.tolist()
    [4, 4, 4, 4, 4]
    """
    import geopandas as gpd
    import pandas as pd

    held = _listed(tiles)
    check_count(seed, "seed", 0)
    counts = [dict(zip(*classes_of(tile, name)[:2], strict=True)) for tile in held]
    wanted = _wanted(per_class, counts)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    shares: list[dict[int, int]] = [{} for _ in held]
    for code, number in wanted.items():
        there = np.array([one.get(code, 0) for one in counts])
        for share, drawn in zip(shares, _shared_out(there, number, rng), strict=True):
            share[code] = int(drawn)
    parts = [_drawn(tile, name, share, rng) for tile, share in zip(held, shares, strict=True)]
    crs = next(part.crs for part in parts if len(part))
    joined = pd.concat([part.to_crs(crs) for part in parts if len(part)], ignore_index=True)
    return gpd.GeoDataFrame(joined.iloc[rng.permutation(len(joined))].reset_index(drop=True), crs=crs)


def _listed(tiles: Any) -> list[xr.Dataset]:
    single = isinstance(tiles, xr.Dataset) or not isinstance(tiles, Iterable)
    found = [TileSpec.require_dataset(tile) for tile in ([tiles] if single else tiles)]
    if not found:
        raise TileError("there is no tile", expected="a map: one tile or several")
    return found


def values_of(tile: xr.Dataset, name: str) -> tuple[Array, TileSpec, str]:
    """Return the codes of a tile, flat, with what describes them."""
    spec = TileSpec.of(tile)
    found = spec.find(name, "the assessment")
    variable = spec.variables[found]
    if variable.dims != ("y", "x"):
        raise TileError(f"{found!r} has dims {variable.dims}", expected="(y, x)", fix="choose a date")
    if variable.dtype.kind not in "iub" or not (is_flags(found, variable) or variable.quantity is None):
        raise QuantityError(f"{found!r} is {variable.dtype} {variable.quantity or ''}", expected="classes")
    return np.asarray(tile[found].values).reshape(-1), spec, found


def classes_of(tile: xr.Dataset, name: str) -> tuple[list[int], list[int], list[int]]:
    """Return the classes that occur, how many pixels they have, and those of the legend."""
    values, spec, found = values_of(tile, name)
    nodata = spec.variables[found].nodata_scalar
    codes, counts = np.unique(values[values != nodata], return_counts=True)
    legend = [code for code in flag_names(spec.variables[found].attrs) if code != nodata]
    return [int(code) for code in codes], [int(count) for count in counts], legend


def _pixel_area(tile: xr.Dataset) -> float:
    box = TileSpec.of(tile).require_geobox("mapped_areas")
    crs: Any = box.crs
    if not crs.projected:
        raise QuantityError(
            f"the pixels of {tile.attrs.get('tile_id', 'a tile')} are measured in degrees",
            expected="a projected CRS",
            fix="map in an equal-area projection: geotoolz.grid.Reproject('EPSG:6933')",
        )
    metre = float(crs.proj.axis_info[0].unit_conversion_factor) if crs.proj.axis_info else 1.0
    return abs(box.affine.a * box.affine.e) * metre**2


def _wanted(per_class: int | Mapping[int, int], counts: Sequence[Mapping[int, int]]) -> dict[int, int]:
    totals: dict[int, int] = {}
    for one in counts:
        for code, count in one.items():
            totals[code] = totals.get(code, 0) + count
    if not totals:
        raise TileError("the map has no pixel with a class", expected="one at least")
    asked = per_class if isinstance(per_class, Mapping) else dict.fromkeys(sorted(totals), per_class)
    for code, number in asked.items():
        check_count(number, f"per_class[{code}]", 1)
        if code not in totals:
            raise ParameterError(
                f"the map has no pixel of the class {code!r}",
                expected=f"one of {', '.join(map(str, totals))}",
            )
    short = {code: totals[code] for code, number in asked.items() if number > totals[code]}
    if short:
        told = ", ".join(f"{code} has {count}" for code, count in short.items())
        warnings.warn(f"fewer pixels than asked for: {told}", ShortfallWarning, stacklevel=3)
    return {code: min(number, totals[code]) for code, number in asked.items()}


def _shared_out(there: Array, number: int, rng: np.random.Generator) -> Array:
    """Return how many of a class's drawn pixels fall to each tile, all pixels alike."""
    # numpy's hypergeometric numbers end at 10^9 pixels, some ten scenes
    picked = random.Random(int(rng.integers(2**63))).sample(range(int(there.sum())), number)
    tile = np.searchsorted(np.cumsum(there), picked, side="right")
    return np.bincount(tile, minlength=there.size)


def _drawn(
    tile: xr.Dataset, name: str, share: Mapping[int, int], rng: np.random.Generator
) -> gpd.GeoDataFrame:
    """Return the pixels that are drawn of one tile."""
    import geopandas as gpd

    values, spec, found = values_of(tile, name)
    box = spec.require_geobox("sample_map")
    names = flag_names(spec.variables[found].attrs)
    picked = [
        np.sort(rng.choice(np.flatnonzero(values == code), number, replace=False))
        for code, number in share.items()
        if number
    ]
    index = np.concatenate(picked) if picked else np.empty(0, np.int64)
    row, col = np.divmod(index, max(spec.shape[1], 1))
    a = spec.window_geobox.affine if spec.window_geobox is not None else box.affine
    table = {
        "mapped": values[index].astype(np.int64),
        "mapped_name": [names.get(int(code), str(code)) for code in values[index]],
        "tile_id": str(tile.attrs.get("tile_id", "")),
        "row": row,
        "col": col,
    }
    points = gpd.points_from_xy(a.c + a.a * (col + 0.5), a.f + a.e * (row + 0.5))
    return gpd.GeoDataFrame(table, geometry=points, crs=str(box.crs))
