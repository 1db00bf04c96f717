from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

# importlib mode puts no test folder on the path; helpers lie beside the tests, and the file server in io/
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "io"))


@pytest.fixture
def write_raster() -> Callable[..., Path]:
    def write(
        path: Path,
        left: float = 500000,
        top: float = 5100000,
        res: float = 10,
        shape: tuple[int, int] = (64, 48),
        crs: str | None = "EPSG:32633",
        **profile: object,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = np.random.default_rng(0).integers(1, 5, shape).astype("uint16")
        options = {
            "driver": "GTiff",
            "count": 1,
            "dtype": "uint16",
            "tiled": True,
            "blockxsize": 16,
            "blockysize": 16,
        }
        options |= {
            "height": shape[0],
            "width": shape[1],
            "transform": Affine(res, 0, left, 0, -res, top),
            "crs": crs,
        }
        with rasterio.open(path, "w", **{**options, **profile}) as dst:
            dst.write(data, 1)
        return path

    return write
