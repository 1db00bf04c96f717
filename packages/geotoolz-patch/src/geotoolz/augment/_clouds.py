"""Clouds and their shadows, with the mask that says where they are."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from geotoolz.augment import _kernels
from geotoolz.augment._bands import REFLECTANCE, radiometric_bands, stored_per_unit, wavelength_of
from geotoolz.augment._base import Gated
from geotoolz.augment._draws import Draws, check_span
from geotoolz.augment._jitter import Span
from geotoolz.augment._noise import planes
from geotoolz.augment._turn_crs import is_turned
from geotoolz.core import Call, ParameterError, Plan, TileError, TileSpec, VarSpec

_CLASSES = {"clear": 0, "cloud": 1, "cloud_shadow": 2}
_SWIR, _SWIR_SHARE = 1300.0, 0.6  # water and ice absorb: clouds are darker beyond 1.3 µm
_GAIN = 0.5  # weight of each octave, relative to the one of twice the size
_METRES_PER_DEGREE = 111_320.0
_VARIANCE = (26 / 35) ** 2 / 12  # of smoothly interpolated uniform nodes: ∫ s² + (1 − s)² along both axes


class SimulatedClouds(Gated):
    """Put clouds over the tile and their shadows on the ground, and say where they are.

    Reads and writes bands with reflectance in their own type, and adds a class variable: 0 clear, 1 cloud,
    2 shadow, wherever the image was touched at all. Clouds are fractal noise above a limit; a shadow is the
    same field, moved away from the sun by ``height / tan(elevation)``. No-data stays no-data, and labels stay
    what they are. Every date of a stack has a sky of its own.

    Parameters
    ----------
    cover : tuple of float
        Lowest and highest share of the pixels under cloud. It is met on average: the sky of one tile
        differs from it, the more the larger the clouds.
    size : int
        Pixels of the largest clouds.
    brightness : tuple of float
        Lowest and highest reflectance of the thickest cloud; 0.6 of it beyond 1300 nm.
    shadow : tuple of float
        Lowest and highest share of light that the darkest shadow takes.
    height : tuple of float
        Lowest and highest height of the clouds in metres.
    softness : float
        Width of the clouds' edges, in units of the noise (0 to 1).
    name : str
        Name of the class variable.
    bands : sequence of str, optional
        By default all bands with reflectance.
    p : float
        Probability that there are clouds; without them the class variable is all clear.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If a range is not in order or makes no sense.
    MissingVariableError
        If the tile has no such band.
    MissingCRSError
        If there are to be shadows, and the tile has no CRS.
    TileError
        If the tile has a variable of that name already.

    Examples
    --------
    >>> from geotoolz.augment import SimulatedClouds
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), bands=("red",))
    >>> cloudy = SimulatedClouds(cover=(0.5, 0.5), size=16)(tile)
    >>> clear = cloudy.cloud_mask == 0
    >>> cloudy.red.where(clear).equals(tile.red.where(clear)), bool((cloudy.cloud_mask == 1).any())
    (True, True)
    """

    cover: Span = (0.1, 0.5)
    size: int = 64
    brightness: Span = (0.6, 0.9)
    shadow: Span = (0.3, 0.6)
    height: Span = (500.0, 2500.0)
    softness: float = 0.1
    name: str = "cloud_mask"
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the ranges."""
        super().validate()
        check_span("cover", self.cover, 0.0, 1.0)
        check_span("brightness", self.brightness, 0.0, math.inf)
        check_span("shadow", self.shadow, 0.0, 1.0)
        check_span("height", self.height, 0.0, 20_000.0)
        if self.size < 2:
            raise ParameterError(f"size={self.size}", expected="at least 2 pixels")
        if not 0 < self.softness <= 1:
            raise ParameterError(f"softness={self.softness}", expected="more than 0 to 1")

    def decided(self, tile: TileSpec, draws: Draws) -> Plan:
        """Return a clear sky where the draw decides against clouds: the mask is there in any case."""
        return self.drawn(tile, draws) if draws.unit("p") < self.p else self._plan(tile, draws, 0.0)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Cover every band."""
        return self._plan(tile, draws, draws.between(self.cover, "cover"))

    def _plan(self, tile: TileSpec, draws: Draws, cover: float) -> Plan:
        names, notes = radiometric_bands(tile, self.bands, "SimulatedClouds", REFLECTANCE)
        if self.name in tile:
            raise TileError(
                f"the tile has a variable {self.name!r} already",
                fix="SimulatedClouds(name=…) takes another name for the classes",
            )
        first = tile.variables[names[0]]
        if any(tile.variables[name].dims != first.dims for name in names):
            raise TileError(
                "the bands have different dimensions", expected="one sky for all", fix="bands=(…)"
            )
        dark = draws.between(self.shadow, "shadow")
        shifts, doubts = self._shifts(tile, first, draws) if dark else ([(0, 0)], ())
        count = planes(tile, first)
        skies = tuple((self._octaves(draws, k), shifts[k % len(shifts)]) for k in range(count))
        lead = tuple(tile.sizes[dim] for dim in first.dims[:-2])
        cloud, shade = f"{self.name}: cloud", f"{self.name}: shade"
        args = (skies, lead, self._limit(cover), self.softness)
        calls = [Call((), (cloud, shade), _kernels.sky, args, located=True)]
        calls.append(Call((cloud, shade), (self.name,), _kernels.sky_classes, (dark > 0,)))
        bright = draws.between(self.brightness, "brightness")
        for name in names if cover > 0 else ():
            spec = tile.variables[name]
            share = _SWIR_SHARE if (wavelength_of(tile, name) or 0.0) > _SWIR else 1.0
            top = bright * share * stored_per_unit(spec)
            calls.append(
                Call((name, cloud, shade), (name,), _kernels.clouded, (spec.nodata_scalar, top, dark))
            )
        writes = {name: tile.variables[name] for name in names} if cover > 0 else {}
        return Plan(
            writes={**writes, self.name: _classes(first.dims)}, calls=tuple(calls), notes=(*notes, *doubts)
        )

    def _octaves(self, draws: Draws, plane: int) -> tuple[tuple[int, float, int], ...]:
        """Return spacing, weight and key of every octave, down to two pixels."""
        count = max(int(math.log2(self.size)), 1)
        total = sum(_GAIN**k for k in range(count))
        return tuple((self.size >> k, _GAIN**k / total, draws.key("sky", plane, k)) for k in range(count))

    def _limit(self, cover: float) -> float:
        """Return what the noise exceeds in a share of the pixels: it is nearly normal."""
        if cover <= 0.0:
            return 2.0
        if cover >= 1.0:
            return -1.0
        count = max(int(math.log2(self.size)), 1)
        total = sum(_GAIN**k for k in range(count))
        deviation = math.sqrt(_VARIANCE * sum(_GAIN ** (2 * k) for k in range(count))) / total
        return NormalDist(0.5, deviation).inv_cdf(1.0 - cover)

    def _shifts(
        self, tile: TileSpec, spec: VarSpec, draws: Draws
    ) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
        """Return by how many rows and columns the shadows are away; per date where the sun is."""
        height = draws.between(self.height, "height")
        found, doubts = [], []
        for name, default in (("sun_elevation", 45.0), ("sun_azimuth", 180.0)):
            along = tile.coords.get(name)
            if along is not None and along.dim in spec.dims[:1]:
                found.append(np.asarray(along.values, np.float64))
                continue
            if name not in tile.attrs:
                doubts.append(f"the tile does not say its {name}: shadows fall as at {default:g} degrees")
            found.append(np.atleast_1d(np.asarray(tile.attrs.get(name, default), np.float64)))
        elevations, azimuths = np.broadcast_arrays(*found)
        shifts = [
            _shift(tile, height, float(up), float(az)) for up, az in zip(elevations, azimuths, strict=True)
        ]
        return shifts, tuple(doubts)


def _shift(tile: TileSpec, height: float, elevation: float, azimuth: float) -> tuple[int, int]:
    """Return by how many rows and columns a shadow lies away from what throws it."""
    if not (0 < elevation <= 90 and math.isfinite(azimuth)):
        raise TileError(
            f"SimulatedClouds: the sun stands at elevation {elevation}, azimuth {azimuth}",
            expected="degrees above the horizon, more than 0 to 90, and clockwise from north",
            fix="correct the tile's sun_elevation and sun_azimuth, or shadow=(0.0, 0.0)",
        )
    box = tile.require_geobox("SimulatedClouds")
    away = height / math.tan(math.radians(elevation)) if elevation < 90 else 0.0
    east = -math.sin(math.radians(azimuth)) * away
    north = -math.cos(math.radians(azimuth)) * away
    t = box.affine
    if box.crs is not None and box.crs.geographic:
        # at the pole a degree of longitude has no width
        east /= _METRES_PER_DEGREE * max(math.cos(math.radians(t.f)), 0.01)
        north /= _METRES_PER_DEGREE
    x, y = (north, -east) if is_turned(box.crs) else (east, north)
    return round(y / t.e), round(x / t.a)


def _classes(dims: tuple[str, ...]) -> VarSpec:
    attrs = {
        "long_name": "simulated clouds and their shadows",
        "quantity": "flags",
        "flag_values": list(_CLASSES.values()),
        "flag_meanings": " ".join(_CLASSES),
    }
    return VarSpec(dims, np.dtype(np.uint8), None, attrs)
