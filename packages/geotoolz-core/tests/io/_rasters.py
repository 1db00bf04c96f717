"""Small rasters and items for the tests of geotoolz.io."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

UTM33 = "EPSG:32633"


def write(
    path: Path, pixels: np.ndarray, transform: Affine | None = None, crs: str | None = UTM33, **more: Any
) -> Path:
    """Write a plain GeoTIFF; 10 m pixels with the corner at (500000, 5000000) by default."""
    pixels = pixels if pixels.ndim == 3 else pixels[None]
    names = more.pop("names", None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=pixels.shape[1],
        width=pixels.shape[2],
        count=len(pixels),
        dtype=pixels.dtype,
        crs=crs,
        transform=transform or Affine(10, 0, 500_000, 0, -10, 5_000_000),
        **more,
    ) as raster:
        raster.write(pixels)
        for index, name in enumerate(names or (), start=1):
            raster.set_band_description(index, name)
    return path


def dn(rows: int, cols: int, seed: int = 0, dtype: str = "uint16") -> np.ndarray:
    """DN between 1 and 9000 with a hole of no-data."""
    pixels = np.random.default_rng(seed).integers(1, 9000, (rows, cols)).astype(dtype)
    pixels[: rows // 4, : cols // 5] = 0
    return pixels


def s2_item(folder: Path, bands: dict[str, Path], **properties: Any) -> Path:
    """Write a STAC item over band files."""
    assets = {
        key: {
            "href": f"./{path.relative_to(folder)}",
            "type": "image/tiff; application=geotiff",
            "roles": ["data"],
        }
        for key, path in bands.items()
    }
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_33TWL_20230101_0_L2A",
        "collection": "sentinel-2-l2a",
        "geometry": None,
        "bbox": [15, 45, 16, 46],
        "properties": {"datetime": "2023-01-01T10:00:00Z", "platform": "sentinel-2a", **properties},
        "links": [],
        "assets": assets,
    }
    path = folder / "item.json"
    path.write_text(json.dumps(item))
    return path
