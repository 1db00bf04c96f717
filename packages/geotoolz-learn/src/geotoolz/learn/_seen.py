"""Which pixels a model was trained on, in a few bits per pixel: whether a sample is new to it."""

from __future__ import annotations

import base64
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.learn._training import TrainingRows, moved

if TYPE_CHECKING:
    from geotoolz.learn._model import ModelInfo

Array = np.ndarray[Any, Any]
_BITS_PER_ROW, _MOST_BITS = 8, 1 << 22
_HASHES = 3
_PER_METRE = 10  # places are told apart by a tenth of the CRS's unit
_SIGMAS = 3.0


class SeenPixelsWarning(UserWarning):
    """A model is judged by pixels that it was trained on."""


def places_of(rows: TrainingRows) -> str:
    """Return the places of rows as text: a Bloom filter of their pixels, after their CRS.

    Empty where the rows have no places. Of 10⁵ rows it takes 130 kB, of any number at most 700 kB.
    """
    if rows.xy is None or rows.crs is None or not len(rows):
        return ""
    size = min(max(_BITS_PER_ROW * len(rows), 64), _MOST_BITS) // 8 * 8
    bits = np.zeros(size, np.bool_)
    bits[_slots(rows.xy, size).reshape(-1)] = True
    return f"{rows.crs}|{base64.b64encode(np.packbits(bits).tobytes()).decode()}"


def share_seen(told: str, rows: TrainingRows) -> float | None:
    """Return the share of rows whose pixels `places_of` has seen; None where either has no places.

    The filter takes some new places for known ones, and how many is known of it: the share is corrected for
    that, and 0 where what is left may be chance.
    """
    crs, _, text = told.rpartition("|")
    if not crs or rows.xy is None or rows.crs is None or not len(rows):
        return None
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8)).astype(np.bool_)
    places = np.unique(np.round(moved(rows.xy, rows.crs, crs) * _PER_METRE), axis=0) / _PER_METRE
    hits = int(bits[_slots(places, bits.size)].all(axis=1).sum())
    chance = float(bits.mean()) ** _HASHES
    expected = len(places) * chance
    if hits <= expected + _SIGMAS * np.sqrt(expected * (1.0 - chance)):
        return 0.0
    return float((hits / len(places) - chance) / (1.0 - chance))


def warn_if_seen(info: ModelInfo, rows: TrainingRows) -> None:
    """Warn where a sample lies in pixels that a model was trained on.

    Warns
    -----
    SeenPixelsWarning
    """
    share = share_seen(info.seen, rows)
    if share:
        warnings.warn(
            f"about {share:.0%} of the sample's pixels are pixels that the model was trained on: the "
            "accuracy promises too much. Judge it by polygons that it has not seen, or by cross-validation",
            SeenPixelsWarning,
            stacklevel=2,
        )


def _slots(xy: Array, size: int) -> Array:
    """Return the bits of places: ``(rows, hashes)``, the same on every machine."""
    cells = np.round(np.asarray(xy, np.float64) * _PER_METRE).astype(np.int64).view(np.uint64)
    seed = np.uint64(zlib.crc32(b"geotoolz"))
    key = _mixed(cells[:, 0] ^ _mixed(cells[:, 1] ^ seed))
    found = np.empty((len(key), _HASHES), np.int64)
    for number in range(_HASHES):
        key = _mixed(key)
        found[:, number] = key % np.uint64(size)
    return found


def _mixed(values: Array) -> Array:
    """Return well-mixed bits: the finaliser of splitmix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = np.asarray(values) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
