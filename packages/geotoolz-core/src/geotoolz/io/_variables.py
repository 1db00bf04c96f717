"""One variable of a tile to be: what its pixels become, and the reading of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._errors import ParameterError, QuantityError
from geotoolz.core._lazy import xr
from geotoolz.core._specs import VarSpec
from geotoolz.io._bands import BandDef
from geotoolz.io._flags import flag_attrs
from geotoolz.io._gdal import Header
from geotoolz.io._lattice import Target
from geotoolz.io._notices import SuspiciousValuesWarning, warn_once
from geotoolz.io._pixels import Source, filled, read_band
from geotoolz.io._radiometry import Declared, NoData, Radiometry, decide, stored_nodata
from geotoolz.io._resample import Array
from geotoolz.io._scene import Asset, SceneInfo
from geotoolz.io._sign import without_query
from geotoolz.io._tags import ATTRS_TAG, DTYPE_TAG, decode_attrs

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


Offset = float | Mapping[str, float] | None
_PLAUSIBLE = (-0.2, 2.0)
_SUSPICIOUS_SHARE = 0.01


@dataclass(frozen=True)
class Band:
    """One variable to be: where its pixels are and what they become."""

    name: str
    source: Source
    radiometry: Radiometry
    spec: VarSpec
    verbatim: bool


def make_band(asset: Asset, header: Header, grid: GeoBox, info: SceneInfo, raw: bool, offset: Offset) -> Band:
    """Decide what a band's pixels become."""
    position = asset.index - 1
    if not 0 <= position < len(header.dtypes):
        raise ParameterError(f"{header.path} has {len(header.dtypes)} band(s), not band {asset.index}")
    dtype = np.dtype(header.dtypes[position])
    in_file = _typed(header.nodata[position], dtype)
    if ATTRS_TAG in header.tags[position]:
        return _kept(asset, header, grid, dtype, in_file)
    declared = asset.declared
    declared = replace(declared, nodata=in_file if in_file is not None else _typed(declared.nodata, dtype))
    own_offset = offset.get(asset.name) if isinstance(offset, Mapping) else offset
    declared = _scales(declared, header, position)
    try:
        radiometry = decide(info.product, asset.band, declared, own_offset)
    except QuantityError:
        if not raw:
            raise
        radiometry = Radiometry(nodata=stored_nodata(info.product, declared), quantity="dn", units="1")
    if (
        dtype.kind == "f"
        and own_offset is None
        and (header.scales[position], header.offsets[position]) == (1, 0)
    ):
        radiometry = _as_values(radiometry, declared, in_file)
    if doubt := _disagreement(asset.declared, header, position):
        radiometry = replace(radiometry, doubt="; ".join(filter(None, (radiometry.doubt, doubt))))
    flags = _is_flags(asset.band)
    source = Source(header.path, asset.index, grid, dtype, radiometry.nodata, nearest=flags)
    scaled = not raw and not flags and (radiometry.applies or radiometry.quantity in _FLOATING)
    out = np.dtype(np.float32) if scaled and dtype.itemsize < 8 else np.dtype(np.float64) if scaled else dtype
    nodata: NoData = radiometry.nodata
    if out.kind == "f" and not raw:
        nodata = math.nan
    attrs = _attrs(asset, header, position, radiometry, raw or not scaled)
    return Band(asset.name, source, radiometry, VarSpec(("y", "x"), out, nodata, attrs), verbatim=not scaled)


def _as_values(radiometry: Radiometry, declared: Declared, nodata: NoData) -> Radiometry:
    """Take a file of floats as values: sensors deliver integers, somebody has scaled them."""
    if not radiometry.applies:
        return replace(radiometry, nodata=nodata) if radiometry.quantity == "dn" else radiometry
    doubt = "" if declared.scale is None else "the file holds floats: the declared scale is taken as applied"
    return replace(
        radiometry, scale=1.0, add=0.0, nodata=nodata, thermal=None, said_by="float file", doubt=doubt
    )


_FLOATING = (
    "reflectance",
    "surface_reflectance",
    "toa_reflectance",
    "backscatter",
    "brightness_temperature",
    "surface_temperature",
)


def _is_flags(band: BandDef | None) -> bool:
    return band is not None and band.kind == "flags"


def _kept(asset: Asset, header: Header, grid: GeoBox, dtype: np.dtype[Any], nodata: NoData) -> Band:
    """Take a variable as geotoolz wrote it."""
    tags = header.tags[asset.index - 1]
    attrs = decode_attrs(tags[ATTRS_TAG])
    kept = tags.get(DTYPE_TAG)
    out = np.dtype(kept) if kept else dtype
    flags = out.kind == "b" or attrs.get("quantity") in ("flags", "mask") or "flag_meanings" in attrs
    source = Source(header.path, asset.index, grid, dtype, nodata, nearest=flags)
    return Band(asset.name, source, Radiometry(nodata=nodata), VarSpec(("y", "x"), out, nodata, attrs), True)


def _typed(nodata: NoData, dtype: np.dtype[Any]) -> NoData:
    """Return a no-data value as the dtype holds it, None where it cannot."""
    if nodata is None:
        return None
    if dtype.kind in "iu":
        whole = not math.isnan(nodata) and float(nodata).is_integer()
        limits = np.iinfo(dtype)
        return int(nodata) if whole and limits.min <= nodata <= limits.max else None
    return float(nodata)


def _scales(declared: Declared, header: Header, position: int) -> Declared:
    """Fill in the scale that the file itself declares."""
    scale, add = header.scales[position], header.offsets[position]
    if declared.scale is None and (scale, add) != (1.0, 0.0):
        return replace(declared, scale=scale, offset=add)
    return declared


def _disagreement(declared: Declared, header: Header, position: int) -> str:
    """Say where the metadata and the file declare different scales; empty where they agree."""
    there = (header.scales[position], header.offsets[position])
    if declared.scale is None or there == (1.0, 0.0):
        return ""
    said = (declared.scale, declared.offset or 0.0)
    if all(math.isclose(one, other, rel_tol=1e-6) for one, other in zip(said, there, strict=True)):
        return ""
    return (
        f"the metadata declares scale {said[0]:g} and offset {said[1]:g}, "
        f"the file {there[0]:g} and {there[1]:g}: the file's are not used"
    )


def _attrs(asset: Asset, header: Header, position: int, radiometry: Radiometry, raw: bool) -> dict[str, Any]:
    band = asset.band
    attrs: dict[str, Any] = {"long_name": band.title if band else header.names[position] or asset.name}
    attrs |= radiometry.attrs(raw)
    attrs["data_source"] = PurePath(without_query(header.path)).name
    if band is not None:
        attrs["sensor_band"] = band.sensor_name
        if band.wavelength is not None:
            attrs["wavelength_nm"] = float(band.wavelength)
        if band.kind == "flags":
            attrs |= flag_attrs(asset.band.name if asset.band else asset.name)
    return {**attrs, **asset.attrs}


def band_values(band: Band, part: Target) -> Array:
    """Read a band on a window and return its values."""
    return values_of(band, *read_band(band.source, part))


def values_of(band: Band, pixels: Array, valid: Array | None) -> Array:
    """Return the values that pixels of a band stand for; a value depends on its own pixel alone."""
    if band.verbatim:
        pixels = filled(band.source, pixels, valid, band.name)
        if band.spec.dtype.kind == "f" and band.spec.nodata is not None and math.isnan(band.spec.nodata):
            own = band.source.nodata
            if own is not None and not math.isnan(own):
                pixels[pixels == own] = math.nan
        return pixels.astype(band.spec.dtype, copy=False)
    if pixels.dtype == band.source.dtype:
        values = band.radiometry.values(pixels)
    else:  # averaged or interpolated: no-data is told by `valid`
        values = replace(band.radiometry, nodata=None).values(pixels)
    if valid is not None:
        values[~valid] = math.nan
    return values.astype(band.spec.dtype, copy=False)


def name_suspicious(ds: xr.Dataset, origin: str) -> None:
    """Warn where more than 1 % of a reflectance lies outside -0.2 … 2."""
    for name, variable in ds.data_vars.items():
        if "reflectance" not in str(variable.attrs.get("quantity")) or variable.size == 0:
            continue
        step = max(1, math.isqrt(variable.size // 250_000))
        sample = variable.values[..., ::step, ::step]
        sample = sample[~np.isnan(sample)]
        if sample.size == 0:
            continue
        share = float(((sample < _PLAUSIBLE[0]) | (sample > _PLAUSIBLE[1])).mean())
        if share > _SUSPICIOUS_SHARE:
            warn_once(
                origin,
                f"{share:.1%} of {name} lies outside {_PLAUSIBLE[0]} … {_PLAUSIBLE[1]} "
                f"(offset by {variable.attrs.get('offset_source', 'nobody')}); say offset=… if it is wrong",
                SuspiciousValuesWarning,
            )
