# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-core[catalog]"]
# ///
"""A box and three months of a large catalog: geotoolz beside geopandas and pyarrow.

    .venv/bin/python benchmarks/catalog_query.py [ROWS]

Prints milliseconds per query and the ratio to each peer: in memory against a GeoDataFrame, scanned or with
its tree; from a file against `geopandas.read_parquet` (bbox, filters) and `pyarrow.dataset` (filter).
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import shapely

from geotoolz.catalog import GeoCatalog

FOLDER = tempfile.mkdtemp()
BOX = (10.0, 45.0, 10.6, 45.6)
TIME = ("2022-06-01", "2022-08-31")
START, END = pd.Timestamp("2022-06-01", tz="UTC"), pd.Timestamp("2022-08-31T23:59:59.999999", tz="UTC")


def make(rows: int) -> GeoCatalog:
    """Scenes of about a degree, spread over land-like latitudes and eight years."""
    rng = np.random.default_rng(0)
    west, south = rng.uniform(-179, 178, rows), rng.uniform(-60, 74, rows)
    west[: rows // 50], south[: rows // 50] = rng.uniform(5, 15, rows // 50), rng.uniform(40, 50, rows // 50)
    when = pd.Timestamp("2016-01-01", tz="UTC") + pd.to_timedelta(
        rng.integers(0, 8 * 365 * 86400, rows), unit="s"
    )
    number = np.arange(rows)
    frame = gpd.GeoDataFrame(
        {
            "id": "S2_" + pd.Series(number).astype(str),
            "datetime": when,
            "start_datetime": when,
            "end_datetime": when,
            "source": f"{FOLDER}/scenes/" + pd.Series(number).astype(str) + "/item.json",
            "kind": "item",
            "platform": np.where(number % 2, "sentinel-2a", "sentinel-2b"),
            "cloud_cover": rng.uniform(0, 100, rows),
            "epsg": 32601 + (west + 180) // 6,
        },
        geometry=shapely.box(west, south, west + 1, south + 1),
        crs="EPSG:4326",
    )
    return GeoCatalog(frame)


def timed(call: Callable[[], object], repeat: int = 15) -> float:
    """Return the median in milliseconds, after one call that fills caches."""
    call()
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e3


def by_geopandas(path: Path) -> gpd.GeoDataFrame:
    filters = [("start_datetime", "<=", END), ("end_datetime", ">=", START)]
    return gpd.read_parquet(path, bbox=BOX, filters=filters)


def by_pyarrow(path: Path) -> pa.Table:
    west, south, east, north = BOX
    test = (pc.field("bbox", "xmin") <= east) & (pc.field("bbox", "xmax") >= west)
    test &= (pc.field("bbox", "ymin") <= north) & (pc.field("bbox", "ymax") >= south)
    stamp = pa.timestamp("us", "UTC")
    test &= (pc.field("start_datetime") <= pa.scalar(END, stamp)) & (
        pc.field("end_datetime") >= pa.scalar(START, stamp)
    )
    return pads.dataset(path, format="parquet").to_table(filter=test)


def by_scan(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    now = (frame["start_datetime"] <= END) & (frame["end_datetime"] >= START)
    return frame[now & frame.intersects(shapely.box(*BOX))]


def by_cx(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    near = frame.iloc[frame.sindex.query(shapely.box(*BOX), predicate="intersects")]
    return near[(near["start_datetime"] <= END) & (near["end_datetime"] >= START)]


def main() -> None:
    rows = int(float(sys.argv[1])) if len(sys.argv) > 1 else 100_000
    catalog = make(rows)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        start = time.perf_counter()
        path = catalog.save(Path(folder) / "catalog.parquet")
        saved = time.perf_counter() - start
        start = time.perf_counter()
        whole = GeoCatalog.open(path)
        opened = time.perf_counter() - start
        frame = whole.frame
        hits = len(whole.query(BOX, TIME))
        assert (
            hits
            == len(by_geopandas(path))
            == len(by_pyarrow(path))
            == len(by_scan(frame))
            == len(by_cx(frame))
        )
        memory = timed(lambda: whole.query(BOX, TIME))
        scan, tree = timed(lambda: by_scan(frame), 5), timed(lambda: by_cx(frame))
        file = timed(lambda: GeoCatalog.open(path, BOX, TIME))
        pandas, arrow = timed(lambda: by_geopandas(path), 7), timed(lambda: by_pyarrow(path), 7)
        start = time.perf_counter()
        count = sum(1 for _ in whole.iter_rows())
        iterated = time.perf_counter() - start
        start = time.perf_counter()
        for number, _ in enumerate(whole.frame.iterrows()):
            if number == 5000:
                break
        by_iterrows = (time.perf_counter() - start) * count / 5000
        size = path.stat().st_size / 2**20
    print(f"{rows} rows, {hits} hits; save {saved:.2f} s, {size:.1f} MiB; open {opened:.2f} s")
    print(
        f"in memory: geotoolz {memory:.2f} ms; scan of a GeoDataFrame {scan:.2f} ms ({memory / scan:.3f} ×)"
    )
    print(f"           geopandas with its tree kept {tree:.2f} ms ({memory / tree:.2f} ×)")
    print(
        f"from file: geotoolz {file:.2f} ms; geopandas.read_parquet {pandas:.2f} ms ({file / pandas:.2f} ×)"
    )
    print(f"           pyarrow.dataset, no geometry decoded {arrow:.2f} ms ({file / arrow:.2f} ×)")
    print(f"iter_rows: {iterated:.2f} s; iterrows {by_iterrows:.2f} s ({iterated / by_iterrows:.3f} ×)")


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(FOLDER)
