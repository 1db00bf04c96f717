# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]", "geotoolz-indices", "geotoolz-cloud"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-cloud = { path = "../packages/geotoolz-cloud", editable = true }
# ///
"""Memory of a whole Sentinel-2 scene: 10980² pixels, five bands, through the demo's pipeline.

Claim: at most 2 GB in the process that does it. The peer does the same with rioxarray on the whole scene
(skipped with ``--no-peer``: it needs several GB).

Run: uv run benchmarks/large_scene.py [--no-peer]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SCENE = """
import sys
from geotoolz.core.testing import write_scene
bands = ("blue", "green", "red", "nir", "scl")
write_scene({"shape": (10980, 10980), "bands": bands, "raw": True}, sys.argv[1])
"""
_OURS = """
import sys, warnings
warnings.simplefilter("ignore")
from geotoolz.batch import CatalogPipeline, NoProgress
from geotoolz.catalog import GeoCatalog
from geotoolz.cloud import MaskClouds
from geotoolz.core import Sequential
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG
pipeline = Sequential([MaskClouds(), NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))])
catalog = GeoCatalog.build(sys.argv[1])
job = CatalogPipeline(catalog, pipeline, out=sys.argv[2], engine="inline", progress=NoProgress())
print(job.run())
"""
_PEER = """
import sys, pathlib, numpy as np, rioxarray
folder = next(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir())
def band(name):
    array = rioxarray.open_rasterio(folder / f"{name}.tif", masked=name != "SCL")
    return array.squeeze("band", drop=True)
scl = band("SCL")
clear = ~scl.isin([3, 8, 9, 10])
red, nir = ((band(n) * 1e-4 - 0.1).where(clear).astype("float32") for n in ("B04", "B08"))
((nir - red) / (nir + red)).rio.to_raster(pathlib.Path(sys.argv[2]) / "peer.tif", driver="COG")
"""


def child(code: str, *args: str) -> tuple[float, float]:
    """Run code in a process of its own and return its peak memory in GB and its seconds."""
    wrapped = code + "\nimport resource\nprint('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", wrapped, *args], check=True, capture_output=True, text=True)
    peak = int(done.stdout.rsplit("peak", 1)[1]) * 1024 / 1e9
    return peak, time.perf_counter() - started


def main() -> None:
    """Print peak memory and seconds."""
    with tempfile.TemporaryDirectory() as work:
        scenes, out = Path(work) / "scenes", Path(work) / "out"
        out.mkdir()
        peak, seconds = child(_SCENE, str(scenes))
        print(f"simulating the scene   {peak:5.2f} GB   {seconds:6.1f} s")
        peak, seconds = child(_OURS, str(scenes), str(out))
        print(f"geotoolz               {peak:5.2f} GB   {seconds:6.1f} s   (claim: <= 2 GB)")
        if "--no-peer" not in sys.argv:
            peak, seconds = child(_PEER, str(scenes), str(out))
            print(f"rioxarray, whole scene {peak:5.2f} GB   {seconds:6.1f} s")
    print(f"this process           {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9:5.2f} GB")


if __name__ == "__main__":
    main()
