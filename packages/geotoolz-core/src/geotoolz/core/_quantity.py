"""What values mean, and which operators they are fit for."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from geotoolz.core._errors import QuantityError, TileError, nearest
from geotoolz.core._specs import TileSpec, VarSpec

FLAG_NAMES = frozenset(
    {"scl", "qa60", "qa_pixel", "qa_radsat", "qa_aerosol", "fmask", "label", "valid_data_mask"}
)
QUANTITIES = frozenset(
    {"dn", "reflectance", "toa_reflectance", "surface_reflectance", "radiance", "brightness_temperature"}
    | {
        "surface_temperature",
        "backscatter",
        "index",
        "probability",
        "stretched",
        "flags",
        "mask",
        "elevation",
    }
)
"""What the attribute ``quantity`` may say; other words are a user's own, and mean nothing to operators."""
_BASELINE = re.compile(r"N?(\d\d)\d\d$|N?(\d{1,2})\.")
_IN_NAME = re.compile(r"_N(\d{4})_")
_SURFACE_LEVELS = ("L2A", "L2SP", "L2SR")


def is_flags(name: str, spec: VarSpec) -> bool:
    """Whether a variable holds classes, bit flags or a mask rather than measurements."""
    return (
        spec.quantity in ("flags", "mask")
        or spec.dtype == np.bool_
        or "flag_values" in spec.attrs
        or "flag_masks" in spec.attrs
        or (spec.quantity is None and name.lower() in FLAG_NAMES)
    )


def image_bands(tile: TileSpec) -> tuple[str, ...]:
    """Return the variables of a tile that hold measurements of a sensor, or what was made of them.

    Flags, masks and elevation are none.

    Raises
    ------
    TileError
        If a variable has ``y`` and ``x`` in another order or place: it would be passed over.
    """
    for name, spec in tile.variables.items():
        if "y" in spec.dims and "x" in spec.dims and spec.dims[-2:] != ("y", "x"):
            raise TileError(
                f"variable {name!r} has dims {spec.dims}",
                expected="(y, x) or (time, y, x)",
                fix="transpose it, or call geotoolz.core.as_tile(ds)",
            )
    return tuple(
        name
        for name, spec in tile.variables.items()
        if spec.dtype.kind in "iuf"
        and spec.dims[-2:] == ("y", "x")
        and spec.quantity != "elevation"
        and not is_flags(name, spec)
    )


def chosen_bands(tile: TileSpec, bands: tuple[str, ...] | None, needed_by: str) -> tuple[str, ...]:
    """Return the variables that the parameter ``bands`` means: those named, or all image bands."""
    # two names of one band are one band: it must not be treated twice
    named = None if bands is None else dict.fromkeys(tile.find(name, needed_by) for name in bands)
    chosen = image_bands(tile) if named is None else tuple(named)
    for name in chosen:
        dtype = tile.variables[name].dtype
        if dtype.kind not in "biuf" or dtype == np.float16:
            raise TileError(
                f"{needed_by} reads {name!r}, which is {dtype}",
                expected="integers, float32 or float64",
                fix=f"ds[{name!r}] = ds[{name!r}].astype('float32')",
            )
    return chosen


def require_physical(tile: TileSpec, names: Iterable[str], needed_by: str) -> tuple[str, ...]:
    """Check that variables hold physical values (reflectance and the like) and return doubts.

    Parameters
    ----------
    tile : TileSpec
        The tile.
    names : iterable of str
        Variables that an operator treats as physical values.
    needed_by : str
        The operator.

    Returns
    -------
    tuple of str
        Doubts for `Plan.notes`.

    Raises
    ------
    QuantityError
        For stretched values, for flags, and for digital numbers to which an offset applies, told or
        known from Sentinel-2's processing baseline.
    """
    notes = []
    for name in names:
        spec = tile.variables[name]
        if is_flags(name, spec):
            raise QuantityError(
                f"{needed_by} reads {name!r}, which holds flags or a mask",
                expected="physical values",
                fix="name a band that holds measurements",
            )
        if spec.quantity == "stretched":
            raise QuantityError(
                f"{needed_by} reads {name!r}, which was stretched for display "
                f"({spec.attrs.get('stretch', 'earlier')})",
                expected="physical values",
                fix=f"put {needed_by} before the stretch",
            )
        if spec.quantity is not None and spec.quantity not in QUANTITIES:
            meant = nearest(spec.quantity, QUANTITIES)
            notes += [f"{name!r} says quantity={spec.quantity!r}{meant}: it is not known"] if meant else []
        if spec.quantity in ("dn", None):
            _require_no_untold_offset(tile, name, spec, needed_by)
        if spec.quantity == "dn":
            note = _digital_numbers(tile, name, spec, needed_by)
            if note:
                notes.append(note)
    return tuple(notes)


def _require_no_untold_offset(tile: TileSpec, name: str, spec: VarSpec, needed_by: str) -> None:
    """Raise for stored numbers of Sentinel-2 that carry an offset which nobody has told.

    Ratios of them are wrong by half, and nothing in the numbers shows it.
    """
    if spec.dtype.kind not in "iu" or "add_offset" in spec.attrs:
        return
    if not str(tile.attrs.get("platform", "")).lower().startswith("sentinel-2"):
        return
    told = [tile.attrs.get("processing_baseline")]
    if "processing_baseline" in tile.coords:
        told = list(tile.coords["processing_baseline"].values)
    elif told == [None]:
        told = _IN_NAME.findall(str(tile.attrs.get("tile_id", "")))[:1]
    numbers = [(str(one), _BASELINE.match(str(one))) for one in told]
    shifted = [text for text, found in numbers if found and int(found[1] or found[2]) >= 4]
    if shifted:
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds {spec.dtype} of Sentinel-2 baseline {shifted[0]}: "
            "stored numbers with an offset of -1000",
            expected="reflectance",
            fix="open the tile with geotoolz.open_tile, or put DNToReflectance first; where the offset is "
            f"applied already, say so: ds[{name!r}].attrs['add_offset'] = 0",
        )


def _digital_numbers(tile: TileSpec, name: str, spec: VarSpec, needed_by: str) -> str:
    offset = spec.attrs.get("add_offset", 0) or 0
    if offset != 0:
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds digital numbers with an offset of {offset} "
            "to be applied",
            expected="reflectance",
            fix="open the tile without raw=True, or put DNToReflectance first",
        )
    if "add_offset" in spec.attrs:
        return f"{name!r} holds digital numbers; ratios are right, thresholds and sums are not"
    if str(tile.attrs.get("platform", "")).lower().startswith("landsat"):
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds digital numbers of Landsat, and nothing says their "
            "scale and offset: every Level-1 and Level-2 product has an offset",
            expected="reflectance",
            fix="put the scene's MTL file beside the bands, or DNToReflectance(scale=…, offset=…) first; "
            f"where there is no offset, say so: ds[{name!r}].attrs['add_offset'] = 0",
        )
    return (
        f"{name!r} holds digital numbers, and nothing says their offset; ratios are right where there is none"
    )


def is_surface_reflectance(tile: TileSpec, name: str) -> bool:
    """Whether a variable is said to be corrected for the atmosphere already."""
    spec = tile.variables[name]
    if spec.quantity is not None and spec.quantity != "dn":
        return spec.quantity == "surface_reflectance"
    return str(tile.attrs.get("processing_level", "")).upper() in _SURFACE_LEVELS
