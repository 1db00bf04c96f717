"""STAC items of simulated scenes, and the cover figures in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core.testing._simulate_spectra import Band

if TYPE_CHECKING:
    import xarray as xr

_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("eo/v1.1.0", "projection/v2.0.0", "raster/v1.1.0", "view/v1.0.0")
]


@dataclass
class Count:
    """What the figures of the item are counted from: one variable's pixels."""

    pixels: int = 0
    data: int = 0
    cloud: int = 0
    coded: bool = False


def stac_asset(name: str, stem: str, variable: xr.DataArray, box: Any, band: Band | None) -> dict[str, Any]:
    """Return the STAC asset of one file."""
    nodata = variable.attrs.get("_FillValue")
    data_type = "uint8" if variable.dtype == bool else variable.dtype.name
    raster: dict[str, Any] = {"data_type": data_type, "spatial_resolution": abs(box.affine.a)}
    if nodata is not None:
        # JSON has no NaN; the raster extension spells it.
        raster["nodata"] = "nan" if isinstance(nodata, float) and math.isnan(nodata) else nodata
    if "scale_factor" in variable.attrs:
        raster |= {"scale": variable.attrs["scale_factor"], "offset": variable.attrs["add_offset"]}
    asset: dict[str, Any] = {
        "href": f"./{stem}.tif",
        "type": "image/tiff; application=geotiff",
        "title": variable.attrs["long_name"],
        "roles": ["data"] if band else ["data", "truth" if name.startswith("truth_") else "data-mask"],
        "gsd": abs(box.affine.a),
        "proj:shape": list(map(int, box.shape)),
        "proj:transform": list(box.affine)[:6],
        "raster:bands": [raster],
    }
    if band:
        common = "rededge" if name.startswith("rededge") else name
        asset["eo:common_name"] = common
        asset["eo:bands"] = [
            {
                "name": band.sensor_name,
                "common_name": common,
                "description": name,
                "center_wavelength": band.wavelength / 1000,
                "full_width_half_max": band.width / 1000,
            }
        ]
    return asset


def stac_item(
    attrs: Mapping[str, Any],
    box: Any,
    tile_id: str,
    assets: dict[str, dict[str, Any]],
    shares: dict[str, float],
) -> dict[str, Any]:
    """Return the scene's STAC item."""
    ring = outline(box)
    lons, lats = [p[0] for p in ring], [p[1] for p in ring]
    sentinel = str(attrs["platform"]).startswith("sentinel")
    properties: dict[str, Any] = {
        "datetime": attrs["datetime"],
        "platform": attrs["platform"],
        "constellation": "sentinel-2" if sentinel else "landsat",
        "instruments": [attrs["instrument"]],
        "processing:level": attrs["processing_level"],
        "gsd": abs(box.affine.a),
        "proj:code": _code(box.crs),
        "proj:shape": list(map(int, box.shape)),
        "proj:transform": list(box.affine)[:6],
        "view:sun_azimuth": attrs["sun_azimuth"],
        "view:sun_elevation": attrs["sun_elevation"],
        **shares,
    }
    if "processing_baseline" in attrs:
        properties["s2:processing_baseline"] = attrs["processing_baseline"]
        properties["s2:product_type"] = f"S2MSI{attrs['processing_level'].removeprefix('L')}"
    else:
        properties["landsat:correction"] = attrs["processing_level"]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": _EXTENSIONS,
        "id": tile_id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [min(lons), min(lats), max(lons), max(lats)],
        "properties": properties,
        "links": [],
        "assets": assets,
    }


def _code(crs: Any) -> str | None:
    return f"EPSG:{crs.epsg}" if crs is not None and crs.epsg else None


def count_pixels(count: Count, name: str, strip: xr.DataArray) -> None:
    """Count pixels, those that have data, and the cloudy ones if this is a quality band."""
    values, fill = strip.values, strip.attrs.get("_FillValue")
    count.pixels += values.size
    if fill is None:
        count.data += values.size
    else:
        count.data += int(np.count_nonzero(~np.isnan(values) if values.dtype.kind == "f" else values != fill))
    if name == "scl":
        count.cloud += int(np.isin(values, (8, 9, 10)).sum())
    elif name == "qa_pixel":
        count.cloud += int(np.count_nonzero(values & (4 | 8)))
    elif name in ("qa60", "truth_cloud"):
        count.cloud += int(np.count_nonzero(values))


def cover_shares(counts: Mapping[str, Count]) -> dict[str, float]:
    """Return the cover figures of the item, in percent, counted from the scene's own quality band.

    As Sentinel-2 counts: clouds and cirrus in percent of the pixels that have data.
    """
    told = next((counts[n] for n in ("scl", "qa_pixel", "qa60", "truth_cloud") if n in counts), None)
    if told is None:
        return {}
    # Not every quality band codes missing data, but in these scenes it is missing in all bands alike.
    coded = next((c for c in (told, *counts.values()) if c.coded), told)
    valid = coded.data / coded.pixels
    return {
        "eo:cloud_cover": round(100.0 * told.cloud / told.pixels / max(valid, 1e-9), 4),
        "s2:nodata_pixel_percentage": round(100.0 * (1.0 - valid), 4),
    }


def outline(box: Any, per_side: int = 8) -> list[list[float]]:
    """Return the scene's outline in longitude and latitude, counter-clockwise, its sides densified."""
    from pyproj import Transformer

    left, bottom, right, top = box.boundingbox.bbox
    t = np.linspace(0.0, 1.0, per_side, endpoint=False)
    x = np.concatenate([left + (right - left) * t, 0 * t + right, right - (right - left) * t, 0 * t + left])
    y = np.concatenate([0 * t + bottom, bottom + (top - bottom) * t, 0 * t + top, top - (top - bottom) * t])
    lon, lat = Transformer.from_crs(box.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
    ring = [[round(float(a), 7), round(float(b), 7)] for a, b in zip(lon, lat, strict=True)]
    return [*ring, ring[0]]
