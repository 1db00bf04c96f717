"""Scale and offset of a band by its product, where the band itself does not say them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from geotoolz.core import QuantityError, TileSpec, VarSpec
from geotoolz.radiometry._calibration import band_of, number_of, platform_of
from geotoolz.radiometry._sun import along_time

if TYPE_CHECKING:
    from geotoolz.io._product import Product
    from geotoolz.io._radiometry import Radiometry

_PER_DATE = (
    "processing_baseline",
    "sun_elevation",
    "boa_offset_applied",
    "platform",
    "tile_id",
    "collection",
)
_REFLECTANCE_CALIBRATED = ("landsat-8", "landsat-9")


@dataclass(frozen=True, slots=True)
class Scaling:
    """How stored numbers become values: ``value = number · factor + offset``, by date where they differ."""

    factors: tuple[float, ...]
    offsets: tuple[float, ...]
    units: str = "1"
    quantity: str = ""
    thermal: tuple[float, float] | None = None
    said_by: str = ""
    notes: tuple[str, ...] = ()


def scaling_of_product(tile: TileSpec, name: str) -> Scaling:
    """Return the scale that a product's metadata prescribe, date by date for a stack.

    The decision is the reader's (`geotoolz.open_tile`): the same metadata give the same numbers.

    Raises
    ------
    QuantityError
        If the metadata do not tell it; names the field and where to put it.
    """
    spec = tile.variables[name]
    found = [_on_date(tile, name, date) for date in range(max(_dates(tile, spec), 1))]
    first = found[0]
    alike = all((one.scale, one.add) == (first.scale, first.add) for one in found)
    shown = found[:1] if alike else found
    return Scaling(
        tuple(one.scale for one in shown),
        tuple(one.add for one in shown),
        first.units or "1",
        first.quantity,
        first.thermal,
        first.said_by if alike else "each date's metadata",
        tuple(dict.fromkeys(f"{name!r}: {one.doubt}" for one in found if one.doubt)),
    )


def _dates(tile: TileSpec, spec: VarSpec) -> int:
    return tile.sizes.get("time", 1) if "time" in spec.dims else 1


def _on_date(tile: TileSpec, name: str, date: int) -> Radiometry:
    from geotoolz.io._radiometry import Declared, decide

    band = band_of(tile, name)
    if band is None or band.kind not in ("reflectance", "thermal"):
        raise QuantityError(
            f"nothing says how {name!r} is scaled: it has no attribute 'scale_factor', and the tile's "
            f"platform ({platform_of(tile) or 'none'}) has no such band",
            fix="give scale= and offset=, or open the scene with geotoolz.open_tile(…, raw=True)",
        )
    product = _product(tile, name, date)
    _refuse_guess(product, band.sensor_name, name)
    _refuse_undated(product, name)
    try:
        decided = decide(product, band, Declared())
    except QuantityError as error:
        raise QuantityError(
            f"{name!r}: {error.found}",
            expected="degrees above the horizon (SUN_ELEVATION of the MTL file)",
            fix="ds.attrs['sun_elevation'] = …, or geotoolz.radiometry.assign_mtl(ds, path)",
        ) from error
    if not decided.applies:
        raise QuantityError(
            f"nothing says how {name!r} is scaled: {decided.doubt or 'the product is not known'}",
            expected="'processing_level' (L1C, L2A; L1TP, L2SP) and 'tile_id' among the tile's attributes, "
            "or 'scale_factor' and 'add_offset' among the band's",
            fix="set them, read them from the MTL file with geotoolz.radiometry.assign_mtl(ds, path), "
            "or give scale= and offset=",
        )
    return decided


def _refuse_guess(product: Product, sensor_band: str, name: str) -> None:
    """Refuse a Landsat Level-1 scene whose scale differs from scene to scene and is not told."""
    level1 = product.platform.startswith("landsat") and product.level.startswith("L1") and not product.is_hls
    if level1 and product.platform not in _REFLECTANCE_CALIBRATED and sensor_band not in product.rescaling:
        raise QuantityError(
            f"nothing says how {name!r} is scaled: the Level-1 scales of {product.platform} differ from "
            "scene to scene",
            expected="'reflectance_mult' and 'reflectance_add' among the band's attributes (MTL: "
            "REFLECTANCE_MULT_BAND_n)",
            fix="geotoolz.radiometry.assign_mtl(ds, path), or DNToRadiance and RadianceToReflectance where "
            "the MTL file has radiances only",
        )


def _refuse_undated(product: Product, name: str) -> None:
    """Refuse Sentinel-2 numbers of which nothing tells whether they have the offset of baseline 04.00.

    Raises
    ------
    QuantityError
        Also for a baseline that cannot be read.
    """
    from geotoolz.io._product import baseline_number

    is_msi = product.platform.startswith("sentinel-2") and not product.is_hls
    if not is_msi or product.offset_applied or product.harmonised:
        return
    if baseline_number(product.baseline) is None and not product.when:
        raise QuantityError(
            f"nothing says whether {name!r} has an offset of -1000: the tile has neither a processing "
            "baseline nor a date",
            expected="'processing_baseline' among the tile's attributes: from 04.00 on there is one",
            fix="ds.attrs['processing_baseline'] = '05.09' (the N0509 in the product's name), "
            "or scale=1e-4 and offset=-0.1 or 0.0",
        )


def _named(tile: TileSpec, told: Mapping[str, Any], dates: int) -> dict[str, Any]:
    """Return what the product's name tells; in a stack that has one name, that of the first date, nothing."""
    from geotoolz.io._product import from_identifier

    if dates > 1 and "tile_id" not in tile.coords:
        return {}
    return from_identifier(str(told["tile_id"] or ""))


def _product(tile: TileSpec, name: str, date: int) -> Product:
    from geotoolz.io._product import Product

    spec, band = tile.variables[name], band_of(tile, name)
    told: dict[str, Any] = {key: tile.attrs.get(key) for key in _PER_DATE}
    for key in _PER_DATE:
        values = along_time(tile, spec, key)
        if values is not None:
            told[key] = values[date]
    when = along_time(tile, spec, "time")
    sensor = band.sensor_name if band is not None else name
    mult, add = number_of(spec, "reflectance_mult", name), number_of(spec, "reflectance_add", name)
    applied, named = told["boa_offset_applied"], _named(tile, told, _dates(tile, spec))
    baseline = told["processing_baseline"]
    made = Product(
        tile_id=str(told["tile_id"] or ""),
        platform=str(told["platform"] or "").lower().replace("_", "-"),
        level=str(tile.attrs.get("processing_level") or "").upper(),
        instrument=str(tile.attrs.get("instrument") or "").lower(),
        baseline=named.get("baseline", "") if baseline is None or str(baseline) == "" else str(baseline),
        when=str(when[date] if when else tile.attrs.get("datetime") or named.get("when", "")),
        sun_elevation=None if told["sun_elevation"] is None else float(told["sun_elevation"]),
        collection=str(told["collection"] or ""),
        offset_applied=None if applied is None else str(applied).lower() in ("true", "1"),
    )
    return made if mult is None or add is None else replace(made, rescaling={sensor: (mult, add)})


def straddles_offset(tile: TileSpec, spec: VarSpec) -> bool:
    """Whether a stack holds Sentinel-2 dates before and after baseline 04.00, which brought the offset."""
    from geotoolz.io._product import baseline_number

    told = along_time(tile, spec, "processing_baseline")
    numbers = [baseline_number(text) for text in told or ()]
    known = [number >= 400 for number in numbers if number is not None]
    return bool(known) and any(known) and not all(known)
