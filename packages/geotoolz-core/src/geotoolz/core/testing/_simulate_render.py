"""Rendering a window of a simulated scene, in row blocks that stay in the cache."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from geotoolz.core.testing import _simulate_spectra as spectra
from geotoolz.core.testing._simulate_flags import FLAG_DTYPE, Mask, encode_flags
from geotoolz.core.testing._simulate_ground import Ground, render_ground
from geotoolz.core.testing._simulate_noise import F32, F64, make_key, normal_pair
from geotoolz.core.testing._simulate_sky import SkyModel, heat_through_sky, through_sky
from geotoolz.core.testing._simulate_world import ToWorld

_F = np.float32
_BLOCK = 1 << 17  # pixels per block
_THERMAL = "lwir11"
Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Scale:
    """How reflectance (or temperature) becomes digital numbers: value = scale · DN + offset, 0 is no-data."""

    scale: float
    offset: float

    def encode(self, values: F32) -> npt.NDArray[np.uint16]:
        """Return digital numbers; never 0, which means no-data."""
        dn = np.rint((values - _F(self.offset)) * _F(1.0 / self.scale))
        return np.asarray(np.clip(dn, _F(1), _F(65535)), dtype=np.uint16)

    def decode(self, dn: npt.NDArray[np.uint16]) -> F32:
        """Return values, with NaN for no-data."""
        values = (dn * self.scale + self.offset).astype(np.float32)
        values[dn == 0] = np.nan
        return values


@dataclass(frozen=True)
class Scene:
    """Everything that fixes the pixels of one scene."""

    sensor: str
    toa: bool
    moment: datetime
    seed: int
    origin: tuple[float, float]
    extent: tuple[float, float, float, float]
    """Left, bottom, right, top of the whole scene, the same for its every resolution."""
    to_world: ToWorld
    sky: SkyModel
    sun: tuple[float, float]
    season: int
    """Day of the year, moved by half a year south of the equator."""
    nodata_edge: bool
    baseline: tuple[int, int]

    def scale_of(self, band: str) -> Scale:
        """Return the coding of a band."""
        if band == _THERMAL:
            return Scale(0.00341802, 149.0)
        if self.sensor == "sentinel-2":
            return Scale(1e-4, -0.1 if self.baseline >= (4, 0) else 0.0)
        return Scale(2e-5, -0.1) if self.toa else Scale(2.75e-5, -0.2)


def render(
    scene: Scene,
    window: Window,
    resolution: float,
    bands: tuple[str, ...],
    flags: tuple[str, ...],
    *,
    truth: bool,
) -> dict[str, npt.NDArray[Any]]:
    """Return DN per band, flags, and (with ``truth``) the ground's reflectance per band, of one window."""
    y0, y1, x0, x1 = window
    out: dict[str, npt.NDArray[Any]] = {b: np.empty((y1 - y0, x1 - x0), np.uint16) for b in bands}
    out.update({f: np.empty((y1 - y0, x1 - x0), FLAG_DTYPE[f]) for f in flags})
    if truth:
        out.update({f"truth_{b}": np.empty((y1 - y0, x1 - x0), np.float32) for b in bands})
    # Also the columns are cut: a very wide scene would make blocks of a few rows, whose halo costs.
    wide = min(x1 - x0, 2048)
    rows = max(16, _BLOCK // max(1, wide))
    for top in range(y0, y1, rows):
        for left in range(x0, x1, 2048):
            block = (top, min(top + rows, y1), left, min(left + 2048, x1))
            part = np.s_[block[0] - y0 : block[1] - y0, block[2] - x0 : block[3] - x0]
            _render_block(scene, block, resolution, bands, flags, {k: v[part] for k, v in out.items()})
    return out


def _render_block(
    scene: Scene,
    block: Window,
    resolution: float,
    bands: tuple[str, ...],
    flags: tuple[str, ...],
    out: dict[str, npt.NDArray[Any]],
) -> None:
    y0, y1, x0, x1 = block
    # One pixel more on every side: the sensor's point spread mixes neighbours.
    x: F64 = scene.origin[0] + (np.arange(x0 - 1, x1 + 1, dtype=np.float64)[None, :] + 0.5) * resolution
    y: F64 = scene.origin[1] - (np.arange(y0 - 1, y1 + 1, dtype=np.float64)[:, None] + 0.5) * resolution
    wx, wy = (np.ascontiguousarray(v) for v in np.broadcast_arrays(*scene.to_world(x, y)))
    ground = render_ground(wx, wy, scene.seed, scene.season)
    core = np.s_[1:-1, 1:-1]
    inner = Ground(ground.cover[core], ground.green[core], ground.third[core], ground.brightness[core])
    x, y = x[:, 1:-1], y[1:-1]
    sky = scene.sky.render(x, y, scene.to_world)
    outside = _outside(scene, x, y)
    for flag in flags:
        out[flag][...] = encode_flags(flag, inner, sky, outside)

    rows = np.arange(y0, y1)[:, None] - math.floor(scene.origin[1] / resolution)
    cols = np.arange(x0, x1)[None, :] + math.floor(scene.origin[0] / resolution)
    index = ground.cover.astype(np.intp)
    for band in bands:
        surface = _surface(scene, band, ground, index)
        if f"truth_{band}" in out:
            out[f"truth_{band}"][...] = np.where(outside, _F(np.nan), surface)
        if band == _THERMAL:
            seen = heat_through_sky(surface, sky)
        else:
            seen = through_sky(surface, sky, band, toa=scene.toa, elevation=scene.sun[1])
        seen += _noise(scene, band, resolution, rows, cols, seen)
        if scene.toa and scene.sensor != "sentinel-2":
            # Landsat's level 1 is not divided by the sine of the sun's elevation.
            seen *= _F(math.sin(math.radians(scene.sun[1])))
        dn = scene.scale_of(band).encode(seen)
        dn[outside] = 0
        out[band][...] = dn


def _surface(scene: Scene, band: str, ground: Ground, index: npt.NDArray[np.intp]) -> F32:
    """Return the reflectance (or temperature) of the ground as the sensor's optics blur it."""
    if band == _THERMAL:
        warm = np.array([c.warmth for c in spectra.COVERS], dtype=np.float32)
        yearly = math.cos(2 * math.pi * (scene.season - 200) / 365.25)
        air, strength = 287.0 + 11.0 * yearly, 0.6 + 0.4 * yearly
        return _blur(_F(air) + warm.take(index) * (_F(strength) * (_F(1.0) - _F(0.85) * ground.green)))
    base, green, third = spectra.SENSORS[scene.sensor][band].mixture()
    rho = green.take(index)
    rho *= ground.green
    rho += base.take(index)
    extra = third.take(index)
    extra *= ground.third
    rho += extra
    rho *= ground.brightness
    return _blur(rho)


def _blur(v: F32) -> F32:
    """Mix each pixel with its neighbours (weights 0.17, 0.66, 0.17 along both axes, summed in one order)."""
    side, middle = _F(0.17), _F(0.66)
    v = side * (v[:-2] + v[2:]) + middle * v[1:-1]
    return side * (v[:, :-2] + v[:, 2:]) + middle * v[:, 1:-1]


def _noise(
    scene: Scene,
    band: str,
    resolution: float,
    rows: npt.NDArray[np.int64],
    cols: npt.NDArray[np.int64],
    rho: F32,
) -> F32:
    """Return the sensor's noise: a constant part and one that grows with the signal."""
    spec = spectra.SENSORS[scene.sensor][band]
    key = make_key(scene.seed, "noise", scene.moment.isoformat(), band, resolution)
    normal, _ = normal_pair(key, rows, cols)
    if band == _THERMAL:
        return normal * _F(spec.noise)
    return normal * (_F(spec.noise) + _F(0.004) * rho)


def _outside(scene: Scene, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    """Return where the swath ends: beyond a slanted line through the scene's eastern part."""
    if not scene.nodata_edge:
        return np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=bool)
    left, bottom, right, top = scene.extent
    u, v = (x - left) / (right - left), (top - y) / (top - bottom)
    return u + 0.22 * v > 0.92
