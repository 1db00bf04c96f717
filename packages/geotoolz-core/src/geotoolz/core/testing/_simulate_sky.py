"""Clouds, cirrus, their shadows and the air of the simulated world."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from geotoolz.core.testing._simulate_noise import (
    F32,
    F64,
    fractal,
    fractal_nodes,
    hash2,
    lattice,
    make_key,
    unit,
)
from geotoolz.core.testing._simulate_world import ToWorld

_F = np.float32
_NODES = 50.0
_SOFT = 0.055  # noise units between the rim and the opaque core of a cloud
CLOUD_FROM = 0.30
"""Opacity from which a pixel counts as cloud; below lies a hazy rim (unclassified, or dilated cloud)."""
RIM_FROM = 0.06
HIGH_FROM = 0.75
CIRRUS_FROM = 0.10
CIRRUS_MOST = 0.45

# Reflectance of an opaque cloud, share of the light that reaches a shadow (sky light), and the air's path
# reflectance (sun at zenith) and two-way transmittance, per band. Typical values, as in
# `_simulate_spectra`.
OPTICS: MappingProxyType[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "coastal": (0.72, 0.50, 0.105, 0.80),
        "blue": (0.71, 0.45, 0.075, 0.84),
        "green": (0.70, 0.38, 0.042, 0.88),
        "red": (0.70, 0.32, 0.024, 0.91),
        "rededge071": (0.71, 0.30, 0.020, 0.91),
        "rededge075": (0.72, 0.28, 0.017, 0.93),
        "rededge078": (0.73, 0.27, 0.014, 0.94),
        "nir": (0.73, 0.25, 0.012, 0.94),
        "nir08": (0.73, 0.24, 0.011, 0.95),
        "nir09": (0.55, 0.24, 0.008, 0.60),
        "cirrus": (0.012, 0.20, 0.001, 0.01),
        "swir16": (0.50, 0.17, 0.003, 0.95),
        "swir22": (0.40, 0.15, 0.002, 0.93),
        "lwir11": (0.0, 0.0, 0.0, 1.0),
    }
)
_CIRRUS_REFLECTANCE = MappingProxyType({"cirrus": 0.14, "swir16": 0.26, "swir22": 0.20})


class Sky(NamedTuple):
    """Opacity in [0, 1] of clouds, of cirrus, and of the clouds between each point and the sun."""

    cloud: F32
    cirrus: F32
    shadow: F32
    relief: F32


@dataclass(frozen=True)
class SkyModel:
    """The sky of one scene: what is needed to evaluate it at any point."""

    key: int
    cloud_level: float
    cirrus_level: float
    shift: tuple[float, float]
    """From a shadow to its cloud, in the scene's coordinates (metres)."""

    def render(self, x: F64, y: F64, to_world: ToWorld) -> Sky:
        """Return the sky over points given in the scene's own coordinates."""
        shape = np.broadcast_shapes(x.shape, y.shape)
        zero = np.zeros(shape, dtype=np.float32)
        wx, wy = to_world(x, y)
        cloud, shadow, relief = zero, zero, zero
        if self.cloud_level < 9.0:
            noise = cloud_noise(wx, wy, self.key)
            cloud = _opacity(noise, self.cloud_level)
            relief = np.clip((noise - _F(self.cloud_level)) * _F(4.0), _F(0), _F(1))
            shadow = _opacity(
                cloud_noise(*to_world(x + self.shift[0], y + self.shift[1]), self.key), self.cloud_level
            )
        cirrus = zero
        if self.cirrus_level < 9.0:
            haze = cirrus_noise(wx, wy, self.key) - _F(self.cirrus_level)
            cirrus = np.clip(_F(CIRRUS_FROM) + haze * _F(1.6), _F(0), _F(CIRRUS_MOST))
        return Sky(cloud, cirrus, shadow, relief)


def cloud_noise(x: F64, y: F64, key: int) -> F32:
    """Return the field whose high parts are clouds: slow octaves on nodes, fine ones at each point."""
    slow = lattice(x, y, _NODES).interpolate(fractal_nodes(_NODES, 2300.0, 4, key, 0.55))
    fine = fractal(x, y, 150.0, 2, key + 64)
    return slow + _F(0.11) * fine


def cirrus_noise(x: F64, y: F64, key: int) -> F32:
    """Return the field whose high parts are cirrus: streaks, five times as long as wide."""
    u, v = (0.96 * x + 0.28 * y) * 0.2, 0.96 * y - 0.28 * x
    return lattice(u, v, _NODES).interpolate(fractal_nodes(_NODES, 1100.0, 4, key + 128))


def _opacity(noise: F32, level: float) -> F32:
    """Map noise to opacity, so that `CLOUD_FROM` is reached exactly at the level."""
    t = np.clip((noise - _F(level)) * _F(1.0 / _SOFT) + _F(_AT_LEVEL), _F(0), _F(1))
    return np.asarray(t * t * (_F(3.0) - _F(2.0) * t), dtype=np.float32)


def _inverse_smoothstep(value: float) -> float:
    return 0.5 - math.sin(math.asin(1.0 - 2.0 * value) / 3.0)


_AT_LEVEL = _inverse_smoothstep(CLOUD_FROM)


def sky_model(
    cover: float,
    key: int,
    extent: tuple[float, float, float, float],
    to_world: ToWorld,
    sun: tuple[float, float],
    height: float,
) -> SkyModel:
    """Choose the levels that give the asked cloud cover over an extent, from a jittered sample of it.

    Of the cover about four fifths are clouds and the rest is cirrus beside them. The sample depends on the
    scene's extent only, so every window and every resolution of the scene has the same sky.
    """
    azimuth, elevation = (math.radians(v) for v in sun)
    reach = height / math.tan(max(elevation, math.radians(3.0)))
    shift = (reach * math.sin(azimuth), reach * math.cos(azimuth))
    if cover <= 0.0:
        return SkyModel(key, 9.0, 9.0, shift)
    if cover >= 1.0:
        return SkyModel(key, -9.0, 9.0, shift)
    x, y = to_world(*_sample(extent, key))
    thick = cover * (0.8 + 0.2 * cover)
    noise = cloud_noise(x, y, key)
    level = float(np.quantile(noise, 1.0 - thick))
    clear = noise < _F(level)
    share = min(1.0, (cover - thick) / max(1e-9, float(clear.mean())))
    cirrus = float(np.quantile(cirrus_noise(x, y, key)[clear], 1.0 - share)) if share > 0 else 9.0
    return SkyModel(key, level, cirrus, shift)


def _sample(extent: tuple[float, float, float, float], key: int, n: int = 224) -> tuple[F64, F64]:
    left, bottom, right, top = extent
    row, col = np.arange(n)[:, None], np.arange(n)[None, :]
    bits = hash2(key, row, col)
    u = (col + unit(bits, 0).astype(np.float64)) / n
    v = (row + unit(bits, 1).astype(np.float64)) / n
    return left + (right - left) * u, top - (top - bottom) * v


def weather_key(seed: int, day: str) -> int:
    """Return the key of one day's sky (54 bits, so that octaves may be added to it)."""
    return make_key(seed, "sky", day) >> 10


def through_sky(rho: F32, sky: Sky, band: str, *, toa: bool, elevation: float) -> F32:
    """Return what the sensor sees of a ground reflectance: shaded, through the air (TOA), under clouds."""
    opaque, diffuse, path, clear = OPTICS[band]
    seen = rho * (_F(1) - _F(1.0 - diffuse) * sky.shadow)
    if toa:
        # The path grows with the way of the sunlight through the air, at most threefold.
        longer = min(3.0, 0.5 + 0.5 / max(0.1, math.sin(math.radians(elevation))))
        seen = _F(path * longer) + _F(clear**longer) * seen
    white = _F(opaque) * (_F(0.72) + _F(0.42) * sky.relief)
    seen = seen + sky.cirrus * (_F(_CIRRUS_REFLECTANCE.get(band, 0.5)) - seen)
    return np.asarray(seen + sky.cloud * (white - seen), dtype=np.float32)


def heat_through_sky(kelvin: F32, sky: Sky) -> F32:
    """Return the temperature that the sensor sees: shaded ground is cooler, clouds and cirrus are cold."""
    seen = kelvin - _F(4.0) * sky.shadow
    seen = seen + sky.cirrus * (_F(245.0) - seen)
    return np.asarray(seen + sky.cloud * (_F(266.0) - _F(14.0) * sky.relief - seen), dtype=np.float32)
