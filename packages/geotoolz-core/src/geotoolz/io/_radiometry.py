"""From DN to values: which scale and offset, and who said so."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from geotoolz.core._errors import ParameterError, QuantityError
from geotoolz.io._bands import BandDef
from geotoolz.io._product import S2_OFFSET_SINCE, Product, baseline_number

NoData = float | int | None
S2_OFFSET = -1000.0
S2_QUANTIFICATION = 10000.0
_COLLECTION_2 = re.compile(r"_02_(T1|T2|RT|A1|A2)")
_LEVEL_QUANTITY = {"L1C": "toa_reflectance", "L2A": "surface_reflectance"}


@dataclass(frozen=True)
class Declared:
    """Scale, offset and no-data as an item, a file or a product's own metadata declares them.

    Parameters
    ----------
    scale, offset : float, optional
        ``value = DN * scale + offset``.
    nodata : float, int or None
        The DN that means "no data".
    units, quantity : str
        Of the values; a reader says what they are where no table knows the sensor.
    said_by : str
        Whose word it is, for the attribute ``offset_source``.
    doubt : str
        What is worth a warning.
    """

    scale: float | None = None
    offset: float | None = None
    nodata: NoData = None
    units: str = ""
    quantity: str = ""
    said_by: str = "raster:bands"
    doubt: str = ""


@dataclass(frozen=True)
class Radiometry:
    """How a band's DN become values: ``value = DN * scale + add``.

    Parameters
    ----------
    scale, add : float
        CF ``scale_factor`` and ``add_offset``; 1 and 0 leave the DN as they are.
    nodata : float, int or None
        The DN that means "no data", tested before anything is added.
    units, quantity : str
        Of the values, not of the DN.
    said_by : str
        Who decided on the offset.
    thermal : tuple of float, optional
        K1 and K2 of a Level-1 thermal band: the scaled value is a radiance.
    doubt : str
        What is worth a warning.
    """

    scale: float = 1.0
    add: float = 0.0
    nodata: NoData = None
    units: str = ""
    quantity: str = ""
    said_by: str = ""
    thermal: tuple[float, float] | None = None
    doubt: str = ""

    @property
    def applies(self) -> bool:
        """Whether the values differ from the DN."""
        return self.scale != 1.0 or self.add != 0.0 or self.thermal is not None

    def attrs(self, raw: bool) -> dict[str, Any]:
        """Return the variable attributes of the values, or of the DN."""
        if raw and self.applies:
            attrs: dict[str, Any] = {"quantity": "dn", "units": "1", "scaled_units": self.units or "1"}
            if self.thermal is None:
                attrs |= {
                    "scale_factor": self.scale,
                    "add_offset": self.add,
                    "scaled_quantity": self.quantity,
                }
            else:
                attrs |= {"scale_factor": self.scale, "add_offset": self.add, "scaled_quantity": "radiance"}
                attrs |= {"k1_constant": self.thermal[0], "k2_constant": self.thermal[1]}
        else:
            attrs = {"quantity": self.quantity, "units": self.units}
        if self.said_by:
            attrs["offset_source"] = self.said_by
        return {key: value for key, value in attrs.items() if value != ""}

    def values(self, dn: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return float32 values with NaN for no-data.

        Computed in float64 and rounded once, through a table where the DN have 16 bits or fewer:
        a value depends on its DN alone.
        """
        if dn.dtype.kind in "ui" and dn.dtype.itemsize <= 2 and dn.size > 4096:
            # negative DN index the table from its end, where their values stand
            return _table(self, dn.dtype.newbyteorder("=")).take(dn, mode="wrap")
        return self._compute(dn).astype(np.float32)

    def _compute(self, dn: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        values = dn.astype(np.float64) * self.scale + self.add
        if self.thermal is not None:
            k1, k2 = self.thermal
            with np.errstate(divide="ignore", invalid="ignore"):
                values = k2 / np.log(k1 / values + 1.0)
        if self.nodata is not None and not math.isnan(self.nodata):
            values[dn == self.nodata] = np.nan
        return values


@lru_cache(maxsize=64)
def _table(radiometry: Radiometry, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return the value of every DN that a small integer type holds, 0 first."""
    limits = np.iinfo(dtype)
    every = np.concatenate([np.arange(0, limits.max + 1), np.arange(limits.min, 0)])
    return radiometry._compute(every).astype(np.float32)


def check_offset(offset: float | Mapping[str, float] | None) -> None:
    """Refuse an offset that is given in reflectance instead of DN.

    Raises
    ------
    ParameterError
        If an offset lies strictly between -1 and 1 and is not 0.
    """
    values = offset.values() if isinstance(offset, Mapping) else [] if offset is None else [offset]
    for value in values:
        if not math.isfinite(value) or 0 < abs(value) < 1:
            raise ParameterError(
                f"offset={value!r}",
                expected="an offset in DN, as the product's metadata gives it (-1000; 0 for none)",
                fix="an offset in reflectance is multiplied by 10000 first",
            )


def decide(
    product: Product, band: BandDef | None, declared: Declared, offset: float | None = None
) -> Radiometry:
    """Decide how a band's DN become values.

    Parameters
    ----------
    product : Product
        The product's metadata.
    band : BandDef or None
        The sensor's band, if it is known.
    declared : Declared
        What the item or the file says of this band.
    offset : float, optional
        The caller's offset in DN; wins over everything.

    Returns
    -------
    Radiometry
    """
    if band is not None and band.kind == "flags":
        nodata = declared.nodata
        if nodata is None:
            nodata = {"scl": 0, "qa_pixel": 1}.get(band.name)
        return Radiometry(nodata=nodata, quantity="flags")
    if band is not None and band.kind == "backscatter":
        return Radiometry(nodata=declared.nodata, units=declared.units or "1", quantity="backscatter")
    if band is not None and product.is_hls:
        return _hls(band, declared, offset)
    if band is not None and band.kind == "reflectance" and product.platform.startswith("sentinel-2"):
        return _sentinel2(product, band, declared, offset)
    if band is not None and band.kind != "aux" and product.platform.startswith("landsat"):
        return _landsat(product, band, declared, offset)
    return _generic(band, declared, offset)


def _hls(band: BandDef, declared: Declared, offset: float | None) -> Radiometry:
    """Scale of Harmonized Landsat Sentinel-2 version 2.0, S30 and L30 alike (HLS Product User Guide).

    Its makers have taken out the offset of either product; thermal bands are in hundredths of a °C.
    """
    nodata = -9999 if declared.nodata is None else declared.nodata
    if band.kind == "thermal":
        return Radiometry(0.01, 273.15, nodata, "K", "brightness_temperature", "HLS")
    if band.kind != "reflectance":
        return _generic(band, declared, offset)
    scale = 1e-4 if declared.scale is None else declared.scale
    add, said_by = (0.0, "HLS") if offset is None else (offset * scale, "offset=")
    quantity = "toa_reflectance" if band.name == "cirrus" else "surface_reflectance"
    return Radiometry(scale, add, nodata, "1", quantity, said_by)


def _sentinel2(product: Product, band: BandDef, declared: Declared, offset: float | None) -> Radiometry:
    quantification = product.quantification or S2_QUANTIFICATION
    doubt = ""
    if offset is not None:
        dn, said_by = offset, "offset="
    elif product.offset_applied:
        dn, said_by = 0.0, "boa_offset_applied"
    elif product.harmonised:
        dn, said_by = 0.0, f"collection {product.collection}"
    elif product.add_offsets:
        dn, said_by = product.add_offsets.get(band.sensor_name, 0.0), "product metadata"
    elif (baseline := baseline_number(product.baseline)) is not None:
        dn, said_by = (S2_OFFSET if baseline >= 400 else 0.0), f"baseline {product.baseline}"
    elif declared.offset is not None and declared.scale:
        dn, said_by = declared.offset / declared.scale, "raster:bands"
    else:
        recent = bool(product.when) and date.fromisoformat(product.when[:10]) >= S2_OFFSET_SINCE
        dn, said_by = (S2_OFFSET if recent else 0.0), "acquisition date"
        doubt = (
            "no processing baseline and no offset in the metadata; "
            f"assumed an offset of {dn:g} DN by the acquisition date ({product.when or 'unknown'}); "
            "say offset=-1000 or offset=0 to be sure"
        )
    if product.offset_applied is None and said_by.startswith(("baseline", "product")):
        doubt = _other_offset(declared, dn, said_by)
    return Radiometry(
        scale=1.0 / quantification,
        add=dn / quantification,
        nodata=0 if declared.nodata is None else declared.nodata,
        units="1",
        quantity=_LEVEL_QUANTITY.get(product.level, "reflectance"),
        said_by=said_by,
        doubt=doubt,
    )


def _other_offset(declared: Declared, dn: float, said_by: str) -> str:
    """Say where an item declares another offset than the product has; empty where they agree.

    Before baseline 04.00 no product has one, and items of Earth Search declare it all the same.
    """
    if declared.offset is None or not declared.scale or dn == 0:
        return ""
    said = declared.offset / declared.scale
    if round(said) == round(dn):
        return ""
    return f"raster:bands declares an offset of {said:g} DN, {said_by} one of {dn:g}: {said_by} is used"


def stored_nodata(product: Product, declared: Declared) -> NoData:
    """Return the stored number that means no data: 0 in Landsat's Level-1 and Level-2, whoever tells it."""
    if declared.nodata is None and product.platform.startswith("landsat") and product.level.startswith("L"):
        return 0
    return declared.nodata


def _landsat(product: Product, band: BandDef, declared: Declared, offset: float | None) -> Radiometry:
    thermal = band.kind == "thermal"
    nodata = 0 if declared.nodata is None else declared.nodata
    known = product.rescaling.get(band.sensor_name)
    if known is not None:
        (scale, add), said_by = known, "MTL"
    elif declared.scale is not None:
        scale, add, said_by = declared.scale, declared.offset or 0.0, "raster:bands"
    elif product.level.startswith("L2"):
        scale, add = (0.00341802, 149.0) if thermal else (2.75e-5, -0.2)
        said_by = "Collection 2 Level-2"
    elif product.level.startswith("L1") and not thermal and _is_oli_collection_2(product):
        scale, add, said_by = 2e-5, -0.1, "Collection 2 Level-1"
    else:
        doubt = "no scale in the metadata: the values are DN"
        return Radiometry(nodata=stored_nodata(product, declared), quantity="dn", units="1", doubt=doubt)
    if offset is not None and not thermal:
        add, said_by = offset * scale, "offset="
    if product.level.startswith("L2"):
        units, quantity = ("K", "surface_temperature") if thermal else ("1", "surface_reflectance")
        return Radiometry(scale, add, nodata, units, quantity, said_by)
    if thermal:
        constants = product.thermal.get(band.sensor_name)
        if constants is None:
            doubt = "no thermal constants in the metadata: the values are DN"
            return Radiometry(nodata=nodata, quantity="dn", units="1", doubt=doubt)
        return Radiometry(scale, add, nodata, "K", "brightness_temperature", said_by, constants)
    if product.sun_elevation is None or product.sun_elevation <= 0:
        raise QuantityError(
            f"{product.tile_id or 'a Landsat Level-1 scene'} says no sun elevation above the horizon"
            f" ({product.sun_elevation})",
            expected="SUN_ELEVATION in an MTL file beside the bands: top-of-atmosphere reflectance needs it",
            fix="put the MTL file beside the bands, or read the DN with raw=True",
        )
    sine = math.sin(math.radians(product.sun_elevation))
    return Radiometry(scale / sine, add / sine, nodata, "1", "toa_reflectance", said_by)


def _is_oli_collection_2(product: Product) -> bool:
    """Whether one scale fits all scenes: those of TM and ETM+ differ from scene to scene."""
    return product.platform in ("landsat-8", "landsat-9") and bool(_COLLECTION_2.search(product.tile_id))


def _generic(band: BandDef | None, declared: Declared, offset: float | None) -> Radiometry:
    scale = 1.0 if declared.scale is None else declared.scale
    add = declared.offset or 0.0
    said_by = declared.said_by if (scale, add) != (1.0, 0.0) else ""
    if offset is not None:
        add, said_by = offset * scale, "offset="
    return Radiometry(
        scale, add, declared.nodata, declared.units, declared.quantity, said_by, doubt=declared.doubt
    )
