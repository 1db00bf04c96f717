"""Simulated satellite scenes: `simulate_scene`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from geotoolz.core._errors import ParameterError
from geotoolz.core._grid import spatial_coords, tile_from_arrays
from geotoolz.core.testing import _simulate_spectra as spectra
from geotoolz.core.testing._simulate_args import (
    LEVELS,
    band_names,
    baseline_numbers,
    check_arguments,
    crs_text,
    native_resolution,
)
from geotoolz.core.testing._simulate_flags import FLAG_ATTRS, FLAG_NODATA
from geotoolz.core.testing._simulate_render import Scene, Window, render
from geotoolz.core.testing._simulate_sky import sky_model, weather_key
from geotoolz.core.testing._simulate_world import iso, lonlat, sun_position, to_world, utc

if TYPE_CHECKING:
    import xarray as xr

Truth = bool | Literal["full"]

_WHEN = "2023-06-18T10:00:31Z"
_ORIGIN = (499980.0, 5100000.0)
CLOUD_HEIGHT = 1500.0
"""Height of the simulated clouds above the ground, in metres."""


@overload
def simulate_scene(
    shape: tuple[int, int] = ..., *, native: Literal[False] = False, **options: Any
) -> xr.Dataset: ...
@overload
def simulate_scene(
    shape: tuple[int, int] = ..., *, native: Literal[True], **options: Any
) -> dict[int, xr.Dataset]: ...
def simulate_scene(  # type: ignore[misc]  # the overloads do not repeat the options
    shape: tuple[int, int] = (512, 512),
    *,
    resolution: float | None = None,
    seed: int = 0,
    crs: str | int = "EPSG:32633",
    origin: tuple[float, float] = _ORIGIN,
    datetime: str | date | datetime = _WHEN,
    sensor: str = "sentinel-2",
    level: str = "L2A",
    cloud_cover: float = 0.2,
    bands: Sequence[str] | None = None,
    raw: bool = False,
    truth: Truth = False,
    nodata_edge: bool = False,
    baseline: str = "05.09",
    native: bool = False,
    window: Window | None = None,
    world: str | int | None = None,
    platform: str | None = None,
    tile_id: str | None = None,
) -> xr.Dataset | dict[int, xr.Dataset]:
    """Simulate a satellite scene: fields, forest, water and towns under clouds with shadows.

    Every pixel is a function of the arguments and of its place on the map. The same arguments give the same
    bits on one platform, in every process, and a window gives the bits of the same window of the whole
    scene, so a scene of any size can be made in blocks. Neighbouring scenes show ground that fits together
    (each has its own level of clouds); other dates show the same ground with its crops as they stand on
    that day, under another sky.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns at ``resolution``.
    resolution : float, optional
        Pixel size in metres; by default 10 for Sentinel-2, 30 for Landsat 8.
    seed : int
        Another seed is another world.
    crs : str or int
        A projected CRS in metres, best a UTM zone.
    origin : (float, float)
        The map coordinates of the upper left corner.
    datetime : str, date or datetime
        The moment, UTC unless it says otherwise. It decides the sun, the crops and the weather of the day.
    sensor : {"sentinel-2", "landsat-8"}
        The sensor to imitate.
    level : {"L2A", "L1C"}
        Surface or top-of-atmosphere reflectance. For Landsat the same as L2SP and L1TP.
    cloud_cover : float
        Share of the scene under clouds and cirrus, 0 to 1: met within about two points over the whole scene.
    bands : sequence of str, optional
        Common names of bands and quality bands. By default the bands of 10 and 20 m (Landsat: of the OLI at
        30 m) and the quality bands of the level. Also ``coastal``, ``nir09``, ``cirrus`` (L1C), ``lwir11``
        (Landsat L2).
    raw : bool
        Digital numbers (uint16, 0 is no-data, with ``scale_factor`` and ``add_offset`` told and not
        applied) instead of what they decode to (float32, NaN is no-data).
    truth : bool or "full"
        Also give ``truth_class``, ``truth_cloud`` and ``truth_shadow``; with "full" also ``truth_<band>``,
        the reflectance of the ground without sky and noise.
    nodata_edge : bool
        Let the swath end within the scene, along a slanted line.
    baseline : str
        Sentinel-2's processing baseline; from 04.00 on the digital numbers carry the offset.
    native : bool
        Return one Dataset per native resolution, as ``{10: ds, 20: ds, 60: ds}``, over the same ground.
    window : (int, int, int, int), optional
        ``(y0, y1, x0, x1)``: return only these rows and columns of the scene. Not together with ``native``.
    world : str or int, optional
        The CRS in which the world is laid out, by default ``crs``. Scenes in neighbouring UTM zones show
        the same ground where they overlap if they name the same world.
    platform : str, optional
        By default "sentinel-2a" or "landsat-8".
    tile_id : str, optional
        By default made of platform, zone, corner, date, seed and level.

    Returns
    -------
    xarray.Dataset or dict of int to xarray.Dataset
        A tile as described in `docs/tile.md`, or one per resolution.

    Raises
    ------
    ParameterError
        If an argument has a value that it cannot have.
    OutsideError
        If the window leaves the scene.

    Notes
    -----
    Sun angles hold for the centre of the scene and follow Michalsky (1988); shadows lie ``h·tan(SZA)`` away
    from their cloud, opposite to the sun, with the cloud's height h = 1500 m above flat ground, grid north
    taken for true north. QA60 is filled for every date (the archives left it empty from 2022 to 2024).
    Bands of 20 and 60 m are sampled at their own pixels, they are not averages of the 10 m bands.

    Examples
    --------
    >>> ds = simulate_scene((64, 64), bands=("red", "nir", "scl"), cloud_cover=0.3, raw=True)
    >>> dict(ds.sizes), ds.red.dtype.name, ds.red.attrs["add_offset"]
    ({'y': 64, 'x': 64}, 'uint16', -0.1)
    >>> part = simulate_scene((64, 64), bands=("red",), cloud_cover=0.3, raw=True, window=(10, 20, 0, 64))
    >>> bool((part.red == ds.red[10:20]).all())
    True
    """
    names = band_names(sensor, level, bands)
    size = float(resolution if resolution is not None else (10 if sensor == "sentinel-2" else 30))
    code, base = crs_text(crs), crs_text(crs if world is None else world)
    check_arguments(shape, size, cloud_cover, native, window)
    moment = utc(datetime)
    extent = (origin[0], origin[1] - shape[0] * size, origin[0] + shape[1] * size, origin[1])
    scene = _scene(
        sensor, LEVELS[sensor][level], iso(moment), int(seed), code, base, extent, float(cloud_cover),
        nodata_edge, baseline_numbers(baseline),
    )  # fmt: skip
    attrs = _attrs(scene, code, level, baseline, platform, tile_id)
    if not native:
        return _tile(scene, shape, size, code, names, window, raw, truth, attrs)
    tiles = {}
    for step in sorted({native_resolution(sensor, b) for b in names}):
        own = tuple(b for b in names if native_resolution(sensor, b) == step)
        grid = (math.ceil(shape[0] * size / step - 1e-9), math.ceil(shape[1] * size / step - 1e-9))
        tiles[step] = _tile(scene, grid, float(step), code, own, None, raw, truth, attrs)
    return tiles


@lru_cache(maxsize=64)
def _scene(
    sensor: str, product: str, when: str, seed: int, crs: str, world: str,
    extent: tuple[float, float, float, float], cover: float, edge: bool, baseline: tuple[int, int],
) -> Scene:  # fmt: skip
    """Prepare a scene; kept, so that making it by windows does not repeat the search for cloud levels."""
    left, bottom, right, top = extent
    moment = utc(when)
    lon, lat = lonlat(crs, (left + right) / 2, (bottom + top) / 2)
    sun = sun_position(moment, lon, lat)
    if sun[1] <= 0:
        raise ParameterError(
            f"the sun is {-sun[1]:.1f}° below the horizon at {when}", fix="choose another hour"
        )
    convert = to_world(crs, world, (left, top))
    doy = moment.timetuple().tm_yday
    return Scene(
        sensor=sensor,
        toa=product in ("L1C", "L1TP"),
        moment=moment,
        seed=seed,
        origin=(left, top),
        extent=extent,
        to_world=convert,
        sky=sky_model(cover, weather_key(seed, when[:10]), extent, convert, sun, CLOUD_HEIGHT),
        sun=sun,
        season=doy if lat >= 0 else (doy + 182) % 366 + 1,
        nodata_edge=edge,
        baseline=baseline,
    )


def _attrs(
    scene: Scene, crs: str, level: str, baseline: str, platform: str | None, tile_id: str | None
) -> dict[str, Any]:
    product = LEVELS[scene.sensor][level]
    platform = platform or ("sentinel-2a" if scene.sensor == "sentinel-2" else "landsat-8")
    short = platform.replace("sentinel-", "S").replace("landsat-", "LC0").upper()
    zone = (
        crs.removeprefix("EPSG:").replace("326", "T", 1).replace("327", "S", 1)
        if crs.startswith("EPSG:32")
        else crs
    )
    place = f"{zone}E{scene.origin[0] / 1000:.0f}N{scene.origin[1] / 1000:.0f}"
    attrs = {
        "tile_id": tile_id or f"{short}_{place}_{scene.moment:%Y%m%d}_{scene.seed}_{product}",
        "datetime": iso(scene.moment),
        "platform": platform,
        "instrument": "msi" if scene.sensor == "sentinel-2" else "oli",
        "processing_level": product,
        "sun_azimuth": round(scene.sun[0], 6),
        "sun_elevation": round(scene.sun[1], 6),
    }
    if scene.sensor == "sentinel-2":
        attrs["processing_baseline"] = baseline
    return attrs


def _tile(
    scene: Scene, shape: tuple[int, int], resolution: float, crs: str, names: tuple[str, ...],
    window: Window | None, raw: bool, truth: Truth, attrs: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    from affine import Affine
    from odc.geo.geobox import GeoBox

    parent = GeoBox(shape, Affine(resolution, 0.0, scene.origin[0], 0.0, -resolution, scene.origin[1]), crs)
    y0, y1, x0, x1 = window or (0, shape[0], 0, shape[1])
    bands = tuple(n for n in names if n in spectra.SENSORS[scene.sensor])
    flags = tuple(n for n in names if n not in bands)
    if truth:
        flags += ("truth_class", "truth_cloud", "truth_shadow")
    arrays = render(scene, (y0, y1, x0, x1), resolution, bands, flags, truth=truth == "full")
    var_attrs: dict[str, dict[str, Any]] = {}
    nodata: dict[str, float | int | None] = {}
    for name in arrays:
        var_attrs[name], nodata[name] = _describe(scene, name, raw)
        if name in bands and not raw:
            arrays[name] = scene.scale_of(name).decode(arrays[name])
            if scene.toa and scene.sensor != "sentinel-2":
                arrays[name] /= np.float32(math.sin(math.radians(scene.sun[1])))
    order = {n: arrays[n] for n in (*names, *(k for k in arrays if k not in names))}
    ds = tile_from_arrays(order, parent[y0:y1, x0:x1], attrs=attrs, var_attrs=var_attrs, nodata=nodata)
    if window is None:
        return ds
    # A window's coordinates are its parent's, to the last bit.
    whole = spatial_coords(parent)
    return ds.assign_coords(x=whole["x"][x0:x1], y=whole["y"][y0:y1])


def _describe(scene: Scene, name: str, raw: bool) -> tuple[dict[str, Any], float | int | None]:
    """Return the attributes and the no-data value of one variable."""
    source = {"data_source": f"geotoolz simulation of {scene.sensor}"}
    if name in FLAG_ATTRS:
        more: dict[str, Any] = {"cloud_height_m": CLOUD_HEIGHT} if name == "truth_shadow" else {}
        # Lists are copied: attributes of one tile must not be shared with the next.
        own = {k: list(v) if isinstance(v, list) else v for k, v in FLAG_ATTRS[name].items()}
        return {**own, **more, **source}, FLAG_NODATA.get(name)
    band = name.removeprefix("truth_")
    spec = spectra.SENSORS[scene.sensor][band]
    thermal = band == "lwir11"
    truth = name != band
    attrs: dict[str, Any] = {"long_name": f"{band} ({spec.sensor_name}, {spec.wavelength} nm)", **source}
    if raw and not truth:
        scale = scene.scale_of(band)
        attrs |= {"units": "1", "quantity": "dn", "scale_factor": scale.scale, "add_offset": scale.offset}
        return attrs, 0
    seen_from_above = scene.toa and not truth
    if thermal:
        quantity = "brightness_temperature" if seen_from_above else "surface_temperature"
        return attrs | {"units": "K", "quantity": quantity}, math.nan
    quantity = "toa_reflectance" if seen_from_above else "surface_reflectance"
    return attrs | {"units": "1", "quantity": quantity}, math.nan
