"""Counter-based noise: every value is a function of (key, absolute lattice position), never of a window.

There is no generator state. A key (made from the seed, the date and the name of the field) and integer
coordinates go through the finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom
number generators"); what is smooth interpolates between hashed lattice nodes. Only additions,
multiplications, floors and comparisons are used, which IEEE 754 fixes to the bit, so a window of a field
equals the same window of the whole field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

F64: TypeAlias = npt.NDArray[np.float64]
F32: TypeAlias = npt.NDArray[np.float32]
U64: TypeAlias = npt.NDArray[np.uint64]
I64: TypeAlias = npt.NDArray[np.int64]
NodeField: TypeAlias = Callable[[I64, I64], F32]

_ROW = np.uint64(0x9E3779B97F4A7C15)
_COL = np.uint64(0xD1B54A32D192ED03)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_MASK = 0xFFFFFFFFFFFFFFFF
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


def make_key(*parts: object) -> int:
    """Return a 64-bit key for a named stream, the same in every process and on every platform.

    Examples
    --------
    >>> make_key(0, "river") == make_key(0, "river") != make_key(1, "river")
    True
    """
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def mix64(values: U64) -> U64:
    """Scramble 64-bit integers in place (SplitMix64's finaliser) and return them."""
    values ^= values >> _S30
    values *= _M1
    values ^= values >> _S27
    values *= _M2
    values ^= values >> _S31
    return values


def hash2(key: int, rows: npt.NDArray[np.integer], cols: npt.NDArray[np.integer]) -> U64:
    """Hash integer positions (broadcast against each other) to 64 random bits each."""
    r = mix64(np.atleast_1d(rows).astype(np.int64).view(np.uint64) * _ROW + np.uint64(key & _MASK))
    c = np.atleast_1d(cols).astype(np.int64).view(np.uint64) * _COL
    return mix64(r ^ c)


def unit(bits: U64, lane: int = 0) -> F32:
    """Turn 16 of the 64 bits (lane 0 to 3) into a number in [0, 1)."""
    part = (bits >> np.uint64(16 * lane)) & np.uint64(0xFFFF)
    return part.astype(np.float32) * np.float32(1.0 / 65536.0)


def normal_pair(key: int, rows: npt.NDArray[np.integer], cols: npt.NDArray[np.integer]) -> tuple[F32, F32]:
    """Return two independent fields of nearly normal noise (mean 0, standard deviation 1), one hash for both.

    The sum of four random bytes: 1021 levels, bounded by 3.45, no transcendental function.
    """
    lanes = hash2(key, rows, cols).astype("<u8", copy=False).view(np.uint8)
    lanes = lanes.reshape(*lanes.shape[:-1], -1, 8)
    out = []
    for first in (0, 4):
        total = lanes[..., first].astype(np.int16)
        for k in range(first + 1, first + 4):
            total += lanes[..., k]
        # 510 and 147.80 are the mean and deviation of four bytes: 4·127.5 and sqrt(4·(256² − 1)/12).
        out.append((total - np.int16(510)).astype(np.float32) * np.float32(1.0 / 147.80))
    return out[0], out[1]


class Lattice(NamedTuple):
    """Where pixels lie between the nodes of a lattice: shared by all fields of one spacing."""

    i0: int
    j0: int
    width: int
    height: int
    place: I64
    fx: F32
    fy: F32
    dense: bool
    """More nodes than pixels (a coarse resolution): corners are computed per pixel, not from a table."""

    def corners(self, field: NodeField) -> tuple[F32, F32, F32, F32]:
        """Return the field at the four nodes around each pixel."""
        w = self.width
        if self.dense:
            j, i = self.place // w + self.j0, self.place % w + self.i0
            return field(j, i), field(j, i + 1), field(j + 1, i), field(j + 1, i + 1)
        rows = np.arange(self.j0, self.j0 + self.height, dtype=np.int64)[:, None]
        cols = np.arange(self.i0, self.i0 + w, dtype=np.int64)[None, :]
        table = np.ascontiguousarray(field(rows, cols)).ravel()
        k = self.place
        return table.take(k), table.take(k + 1), table.take(k + w), table.take(k + (w + 1))

    def interpolate(self, field: NodeField, *, smooth: bool = False) -> F32:
        """Interpolate the field between its nodes: bilinear, or with the smoothstep of value noise."""
        a, b, c, d = self.corners(field)
        fx, fy = (_smooth(self.fx), _smooth(self.fy)) if smooth else (self.fx, self.fy)
        b -= a
        b *= fx
        b += a
        d -= c
        d *= fx
        d += c
        d -= b
        d *= fy
        d += b
        return d


def lattice(x: F64, y: F64, spacing: float) -> Lattice:
    """Locate points (metres) on the lattice of nodes at the whole multiples of ``spacing``."""
    u, v = np.broadcast_arrays(x * (1.0 / spacing), y * (1.0 / spacing))
    iu, jv = np.floor(u), np.floor(v)
    fx, fy = (u - iu).astype(np.float32), (v - jv).astype(np.float32)
    i0, j0 = int(iu.min()), int(jv.min())
    width, height = int(iu.max()) - i0 + 2, int(jv.max()) - j0 + 2
    index = ((jv - j0) * width + (iu - i0)).astype(np.int64)
    return Lattice(i0, j0, width, height, index, fx, fy, width * height > 4 * index.size + 1024)


def hashed(key: int) -> NodeField:
    """Return the field of uniform random node values in [0, 1)."""
    return lambda j, i: unit(hash2(key, j, i))


def value_noise(x: F64, y: F64, scale: float, key: int) -> F32:
    """Return value noise in [0, 1) with features of about ``scale`` metres."""
    return lattice(x, y, scale).interpolate(hashed(key), smooth=True)


def fractal(x: F64, y: F64, scale: float, octaves: int, key: int, gain: float = 0.5) -> F32:
    """Return fractal value noise in [0, 1): each octave has half the scale and ``gain`` times the weight.

    A rotation by the 3-4-5 triangle hides the lattice and needs no sine.
    """
    total = np.zeros((), dtype=np.float32)
    weight, norm = 1.0, 0.0
    for octave in range(octaves):
        total = np.asarray(total + np.float32(weight) * value_noise(x, y, scale, key + octave))
        norm += weight
        weight *= gain
        scale *= 0.5
        x, y = 0.8 * x - 0.6 * y, 0.6 * x + 0.8 * y
    return np.asarray(total * np.float32(1.0 / norm), dtype=np.float32)


def fractal_nodes(spacing: float, scale: float, octaves: int, key: int, gain: float = 0.5) -> NodeField:
    """Return `fractal` noise as a field on lattice nodes, to be interpolated in between."""

    def field(j: I64, i: I64) -> F32:
        x, y = i.astype(np.float64) * spacing, j.astype(np.float64) * spacing
        return fractal(x, y, scale, octaves, key, gain)

    return field


def _smooth(t: F32) -> F32:
    return t * t * (np.float32(3.0) - np.float32(2.0) * t)
