"""The ground of the simulated world: parcels, forest, water, towns and roads, from position alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geotoolz.core.testing import _simulate_spectra as spectra
from geotoolz.core.testing._simulate_noise import (
    F32,
    F64,
    I64,
    U64,
    fractal_nodes,
    hash2,
    lattice,
    make_key,
    mix64,
    unit,
    value_noise,
)

_ESTATE = 1500.0  # m, cells within which parcels share a direction
_TOWN = 4600.0
_LAKE = 3700.0
_RIVER = 5200.0
_SMOOTH = 50.0  # m, spacing of the nodes that carry the slow fields
_F = np.float32
_STREET = np.uint64(0xFFFFFFFFFFFFFFFF)  # what stands for the bits of a house where a street is


class Ground(NamedTuple):
    """What lies at each point: cover code, shares of the green and the third endmember, brightness factor."""

    cover: npt.NDArray[np.uint8]
    green: F32
    third: F32
    brightness: F32


class _Parcels(NamedTuple):
    bits: U64
    margin: F32
    road: npt.NDArray[np.bool_]


def render_ground(x: F64, y: F64, seed: int, doy: int) -> Ground:
    """Return the ground at world coordinates (metres, two-dimensional) on a day of the year."""
    grid = lattice(x, y, _SMOOTH)
    wooded = grid.interpolate(fractal_nodes(_SMOOTH, 2600.0, 4, make_key(seed, "forest")))
    soil = grid.interpolate(fractal_nodes(_SMOOTH, 1900.0, 3, make_key(seed, "soil")))
    parcels = _parcels(x, y, seed)
    fine = value_noise(x, y, 17.0, make_key(seed, "canopy"))
    broad = value_noise(x, y, 90.0, make_key(seed, "within field"))

    cover = _crops(parcels.bits)
    early = (unit(parcels.bits, 1) * _F(2 * spectra.SHIFT + 1)).astype(np.intp)
    forest = wooded + (fine - _F(0.5)) * _F(0.015) > _F(0.585)
    needle = forest & (soil > _F(0.52))
    cover[forest] = spectra.BROADLEAF
    cover[needle] = spectra.NEEDLELEAF

    green_table, third_table = spectra.calendar(doy)
    town, house = _towns(x, y, seed, broad)
    cover[town] = spectra.TOWN
    cover[town & (house != _STREET) & ((house >> np.uint64(40)) % np.uint64(13) == 0)] = spectra.HALL
    cover[parcels.road & ~forest] = spectra.ROAD
    water, turbid = _water(x, y, seed, broad)
    cover[water] = spectra.WATER

    green = green_table[cover, early]
    third = third_table[cover, early]
    brightness = _F(0.86) + _F(0.28) * unit(parcels.bits, 2)
    _grow(green, third, cover, parcels, broad)
    _build(green, third, brightness, cover, house, green_table)
    green[water] = turbid[water]
    third[water] = 0
    calm = water | forest
    brightness[calm] = 1
    brightness *= _F(0.85) + _F(0.3) * soil
    texture = np.array([c.texture for c in spectra.COVERS], dtype=np.float32)[cover]
    brightness *= _F(1) + texture * (_F(2) * fine - _F(1))
    return Ground(cover, green, third, brightness)


def _parcels(x: F64, y: F64, seed: int) -> _Parcels:
    """Divide the land: Voronoi estates, in each a turned grid of parcels, offset row by row like bricks."""
    px, py, row, col, gap = _estates(x, y, seed)
    bits = hash2(make_key(seed, "estate"), row, col)
    # Rational points of the circle: a direction without a sine.
    t = (unit(bits, 0) - _F(0.5)).astype(np.float64)
    norm = 1.0 / (1.0 + t * t)
    cos, sin = (1.0 - t * t) * norm, 2.0 * t * norm
    dx, dy = x - px, y - py
    length = 260.0 + 340.0 * unit(bits, 1).astype(np.float64)
    breadth = 110.0 + 150.0 * unit(bits, 2).astype(np.float64)
    v = (dy * cos - dx * sin) / breadth
    lane = np.floor(v)
    shift = unit(hash2(make_key(seed, "lane"), row * 131 + lane.astype(np.int64), col)).astype(np.float64)
    u = (dx * cos + dy * sin) / length + shift
    plot = np.floor(u)
    bits = mix64(bits ^ (lane.astype(np.int64) * 8191 + plot.astype(np.int64)).view(np.uint64))
    fu, fv = u - plot, v - lane
    # A parcel is one field, or two or three strips of it.
    strips = 1 + (bits >> np.uint64(56)) % np.uint64(3)
    part = fv * strips
    strip = np.floor(part)
    bits = mix64(bits ^ (strip.astype(np.uint64) + strips))
    part -= strip
    along = np.minimum(fu, 1.0 - fu) * length
    across = np.minimum(part, 1.0 - part) * breadth / strips
    margin = np.minimum(along, across).astype(np.float32)
    return _Parcels(bits, margin, gap < _F(9.0))


def _estates(x: F64, y: F64, seed: int) -> tuple[F64, F64, I64, I64, F32]:
    """Return the nearest Voronoi centre, its cell (row, column), and the distance to the edge of the cell."""
    ci, cj = np.floor(x / _ESTATE).astype(np.int64), np.floor(y / _ESTATE).astype(np.int64)
    i0, j0 = int(ci.min()) - 1, int(cj.min()) - 1
    cols = np.arange(i0, int(ci.max()) + 2, dtype=np.int64)
    rows = np.arange(j0, int(cj.max()) + 2, dtype=np.int64)
    bits = hash2(make_key(seed, "centre"), rows[:, None], cols[None, :])
    cx = ((cols + 0.15 + 0.7 * unit(bits, 0).astype(np.float64)) * _ESTATE).ravel()
    cy = ((rows[:, None] + 0.15 + 0.7 * unit(bits, 1).astype(np.float64)) * _ESTATE).ravel()
    w = cols.size
    home = (cj - j0) * w + (ci - i0)
    first = np.full(home.shape, np.inf)
    second = np.full(home.shape, np.inf)
    chosen = home.copy()
    for step in (0, 1, -1, w, -w, w + 1, w - 1, 1 - w, -1 - w):
        k = home + step
        d = (cx.take(k) - x) ** 2 + (cy.take(k) - y) ** 2
        closer = d < first
        np.copyto(chosen, k, where=closer)
        np.minimum(second, np.maximum(first, d), out=second)
        np.minimum(first, d, out=first)
    gap = (np.sqrt(second) - np.sqrt(first)).astype(np.float32)
    return cx.take(chosen), cy.take(chosen), chosen // w + j0, chosen % w + i0, gap


def _crops(bits: U64) -> npt.NDArray[np.uint8]:
    """Draw a crop per parcel: cereals 34 %, maize 25 %, grassland 18 %, rapeseed 13 %, sugar beet 10 %."""
    lookup = np.empty(256, dtype=np.uint8)
    edges = [0, 87, 151, 197, 230, 256]
    names = (spectra.CEREAL, spectra.MAIZE, spectra.GRASSLAND, spectra.RAPESEED, spectra.BEET)
    for code, lo, hi in zip(names, edges[:-1], edges[1:], strict=True):
        lookup[lo:hi] = code
    return lookup[(bits & np.uint64(0xFF)).astype(np.intp)]


def _grow(green: F32, third: F32, cover: npt.NDArray[np.uint8], parcels: _Parcels, broad: F32) -> None:
    """Make fields uneven, and give them margins of grass."""
    field = (cover >= spectra.GRASSLAND) & (cover <= spectra.BEET)
    wane = _F(1) - _F(0.22) * broad
    np.multiply(green, wane, out=green, where=field)
    margin = field & (parcels.margin < _F(5.0))
    green[margin] = _F(0.3) + _F(0.4) * green[margin]
    third[margin] *= _F(0.4)


def _towns(x: F64, y: F64, seed: int, broad: F32) -> tuple[npt.NDArray[np.bool_], U64]:
    """Return where towns are, and random bits per house (the street's bits are all ones)."""
    i, j = np.floor(x / _TOWN), np.floor(y / _TOWN)
    bits = hash2(make_key(seed, "town"), j.astype(np.int64), i.astype(np.int64))
    radius = 250.0 + 650.0 * unit(bits, 2).astype(np.float64) ** 2
    dx = x - (i + 0.3 + 0.4 * unit(bits, 0).astype(np.float64)) * _TOWN
    dy = y - (j + 0.3 + 0.4 * unit(bits, 1).astype(np.float64)) * _TOWN
    distance = np.sqrt(dx * dx + dy * dy) + (broad.astype(np.float64) - 0.5) * 240.0
    town = distance < radius
    house = np.zeros(town.shape, dtype=np.uint64)
    if not town.any():
        return town, house
    t = (unit(bits[town], 3) - _F(0.5)).astype(np.float64)
    cos, sin = (1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)
    u = (dx[town] * cos + dy[town] * sin) / 24.0
    v = (dy[town] * cos - dx[town] * sin) / 21.0
    row, col = np.floor(v).astype(np.int64), np.floor(u).astype(np.int64)
    plots = hash2(make_key(seed, "house"), row, col)
    street = (row % 4 == 0) | (col % 6 == 0)
    plots[street] = _STREET
    house[town] = plots
    return town, house


def _build(
    green: F32, third: F32, brightness: F32, cover: npt.NDArray[np.uint8], house: U64, table: F32
) -> None:
    """Fill towns with roofs, gardens and streets."""
    town = (cover == spectra.TOWN) | (cover == spectra.HALL)
    if not town.any():
        return
    plots = house[town]
    street = plots == _STREET
    lawn = table[spectra.GRASSLAND, spectra.SHIFT]
    garden = unit(plots, 0)
    hall = cover[town] == spectra.HALL
    green[town] = np.where(street | hall, _F(0.05), (_F(0.15) + _F(0.6) * garden) * lawn)
    third[town] = np.where(street | hall, _F(0.05), (_F(1) - garden) * _F(0.75))
    brightness[town] = np.where(street, _F(0.9), _F(0.7) + _F(0.6) * unit(plots, 1))


def _water(x: F64, y: F64, seed: int, broad: F32) -> tuple[npt.NDArray[np.bool_], F32]:
    """Return where lakes and rivers are, and how turbid they are."""
    i, j = np.floor(x / _LAKE), np.floor(y / _LAKE)
    bits = hash2(make_key(seed, "lake"), j.astype(np.int64), i.astype(np.int64))
    radius = np.where(unit(bits, 3) < 0.5, 130.0 + 300.0 * unit(bits, 2).astype(np.float64), 0.0)
    dx = x - (i + 0.3 + 0.4 * unit(bits, 0).astype(np.float64)) * _LAKE
    dy = y - (j + 0.3 + 0.4 * unit(bits, 1).astype(np.float64)) * _LAKE
    lake = np.sqrt(dx * dx + 1.7 * dy * dy) + (broad.astype(np.float64) - 0.5) * 120.0 < radius

    # Rivers flow along lines of a coordinate bent by slow noise, hence they meander and never cross.
    bend = lattice(x, y, _SMOOTH).interpolate(
        fractal_nodes(_SMOOTH, 2400.0, 3, make_key(seed, "meander"), 0.3)
    )
    across = (0.6 * x + 0.8 * y + 2600.0 * (bend.astype(np.float64) - 0.5)) / _RIVER
    line = np.floor(across + 0.5)
    size = unit(hash2(make_key(seed, "river"), line.astype(np.int64), np.zeros(1, dtype=np.int64)))
    half = 14.0 + 70.0 * size.astype(np.float64) ** 2
    river = np.abs(across - line) * _RIVER < half
    turbid = np.where(river, _F(0.75) + _F(0.25) * size, _F(0.15) * unit(bits, 2)).astype(np.float32)
    return lake | river, turbid
