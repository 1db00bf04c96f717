"""The scene that `serve_tiles.py` serves: a COG as large as a Sentinel-2 tile."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

BANDS = ("blue", "green", "red", "nir")


def make_cog(path: Path, size: int) -> None:
    """Write a scene of `size` pixels as COG: a real one that was enlarged, with noise of a sensor."""
    import rasterio
    import rasterio.shutil
    from affine import Affine

    coarse, factor = real_scene(size)
    profile = {
        "driver": "GTiff", "height": size, "width": size, "count": 4, "dtype": "uint16", "nodata": 0,
        "crs": "EPSG:32633", "transform": Affine(10, 0, 499980, 0, -10, 5100000), "tiled": True,
        "blockxsize": 512, "blockysize": 512, "compress": "zstd", "zstd_level": 1, "interleave": "band",
    }  # fmt: skip
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / "plain.tif"
        with rasterio.open(plain, "w", **profile) as raster:
            for number, band in enumerate(BANDS, start=1):
                for row in range(0, size, 512):
                    rows = np.arange(row, min(row + 512, size)) // factor
                    block = np.repeat(coarse[number - 1][rows], factor, axis=1)[:, :size]
                    noise = rng.normal(0, 0.03, block.shape) * block
                    window = rasterio.windows.Window(0, row, size, len(rows))
                    raster.write(np.clip(block + noise, 1, 10000).astype(np.uint16), number, window=window)
                raster.set_band_description(number, band)
        options = {"compress": "deflate", "predictor": 2, "blocksize": 512, "overview_resampling": "average"}
        rasterio.shutil.copy(plain, path, driver="COG", num_threads="all_cpus", **options)


def real_scene(size: int) -> tuple[np.ndarray[Any, Any], int]:
    """Return four bands of Zagreb at 120 m, or a simulated scene, and how much they are to be enlarged."""
    from geotoolz.core.testing import simulate_scene

    data = Path(os.environ.get("GEOTOOLZ_DATA", Path(__file__).parents[2] / "shared" / "data"))
    scene = data / "s2_l2a_33TWL_croatia" / "S2B_33TWL_20230820_0_L2A"
    if scene.exists():
        import warnings

        from geotoolz.io import open_tile

        warnings.simplefilter("ignore")
        tile = open_tile(scene, BANDS)
    else:
        tile = simulate_scene((915, 915), bands=BANDS)
    planes = np.stack([np.nan_to_num(tile[band].values, nan=0.05) for band in BANDS])
    return (planes * 10000).clip(1, 10000), math.ceil(size / planes.shape[1])
