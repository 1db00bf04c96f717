"""How far an output may be from the frozen one, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.repro._findings import Finding, Kind, Weight
from geotoolz.repro._pixels import (
    Array,
    bits_differ,
    changed_blocks,
    deviations,
    extent_of,
    hash_of,
    record_of,
)


@dataclass(frozen=True)
class Tolerance:
    """A stated tolerance. The default tolerates nothing.

    A pixel is within it where ``|new - old| <= atol + rtol * |old|`` and both are valid or both no-data.

    Parameters
    ----------
    atol : float
        In units of the variable.
    rtol : float
        Relative to the frozen value.
    share : float
        Share of pixels, 0 … 1, that may lie outside; for classes the share that may change.

    Examples
    --------
    >>> Tolerance(atol=1e-6)
    Tolerance(atol=1e-06, rtol=0.0, share=0.0)
    """

    atol: float = 0.0
    rtol: float = 0.0
    share: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < math.inf or (name == "share" and value > 1):
                raise ParameterError(
                    f"{name}={value!r}", expected="0 … 1" if name == "share" else "0 or more"
                )

    @classmethod
    def of(cls, given: Tolerance | Mapping[str, Any] | None) -> Tolerance:
        """Return the tolerance that a manifest or a caller states."""
        if given is None or isinstance(given, Tolerance):
            return given or cls()
        return cls(**{str(name): float(value) for name, value in given.items()})


def compare(
    name: str,
    expected: Mapping[str, Any],
    found: Array,
    reference: Array | None,
    tolerance: Tolerance,
    nodata: float | int | None,
) -> list[Finding]:
    """Compare an output with what was frozen of it.

    Parameters
    ----------
    name : str
        The variable, or ``tile/variable``.
    expected : mapping
        What `record_of` said of it.
    found : numpy.ndarray
    reference : numpy.ndarray, optional
        The frozen pixels, where they are at hand; without them only bits can be compared.
    tolerance : Tolerance
    nodata : number, optional

    Returns
    -------
    list of Finding
        Empty where every bit is the same.
    """
    kind = found.dtype.newbyteorder("<").str
    if kind != expected["dtype"] or list(found.shape) != list(expected["shape"]):
        was = f"{expected['dtype']} {tuple(expected['shape'])}"
        return [Finding(Kind.OUTPUT_SHAPE, name, f"{kind} {found.shape}", was)]
    if hash_of(name.rpartition("/")[2], found) == expected["sha256"]:
        return []
    if reference is None:
        return [_by_blocks(name, expected, found, nodata)]
    return [_by_pixels(name, reference, found, tolerance, nodata)]


def _by_blocks(name: str, expected: Mapping[str, Any], found: Array, nodata: float | int | None) -> Finding:
    changed, blocks, extent = changed_blocks(list(expected["blocks"]), found)
    now = record_of(name, found, nodata)
    moved = [
        f"{key} {expected[key]:g} → {now[key]:g}"
        for key in ("valid", "min", "max", "mean")
        if key in expected and key in now and expected[key] != now[key]
    ]
    text = f"{changed} of {blocks} blocks differ, within {_where(extent)}"
    facts = {"blocks": changed, "of": blocks, "extent": extent}
    text = "; ".join([text, *moved, "the frozen pixels are not at hand, so no tolerance applies"])
    return Finding(Kind.OUTPUT_PIXELS, name, text, f"sha256 {expected['sha256'][:12]}…", facts=facts)


def _by_pixels(
    name: str, reference: Array, found: Array, tolerance: Tolerance, nodata: float | int | None
) -> Finding:
    other = bits_differ(reference, found)
    extent, count = extent_of(other), int(other.sum())
    if reference.dtype.kind == "c":
        apart, one_sided = np.abs(reference - found), np.zeros(found.shape, bool)
    else:
        apart, one_sided = deviations(reference, found, nodata)
    limit = tolerance.atol + tolerance.rtol * np.abs(
        np.nan_to_num(reference, nan=0.0, posinf=0.0, neginf=0.0)
    )
    outside = int((one_sided | (apart > limit)).sum())
    within = outside <= tolerance.share * found.size
    facts = {
        "pixels": count,
        "share": count / found.size,
        "outside": outside,
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
        "one_sided": int(one_sided.sum()),
        "extent": extent,
    }
    text = (
        f"{count} of {found.size} pixels differ ({count / found.size:.2%}), within {_where(extent)}; "
        f"by at most {facts['largest']:.3g}, {facts['mean']:.3g} on average"
    )
    if facts["one_sided"]:
        text += f"; {facts['one_sided']} are no-data on one side only"
    limits = f"at most {tolerance.atol:g} + {tolerance.rtol:g} × value"
    allowed = f"{limits}, but for {tolerance.share:.2%} of the pixels"
    weight = Weight.TOLERATED if within and tolerance != Tolerance() else Weight.DIFFERENCE
    return Finding(
        Kind.OUTPUT_PIXELS,
        name,
        text,
        "the same bits" if tolerance == Tolerance() else allowed,
        weight,
        facts,
    )


def _where(extent: Sequence[int]) -> str:
    return f"rows {extent[0]}–{extent[1]}, columns {extent[2]}–{extent[3]}"
