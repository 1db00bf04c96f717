"""Catalogs on disk: GeoParquet 1.1, sorted along a Hilbert curve, with a covering box per row."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._hrefs import absolute, is_uri, local_path, relative
from geotoolz.catalog._rows import Problem, dump_json, typed
from geotoolz.catalog._time import Interval
from geotoolz.core._errors import CatalogError, ReadError, WriteError
from geotoolz.io._object_path import ObjectPath, Place, absolute_place, is_object

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

ROW_GROUP = 10_000
#: Above this many rows an area or time is handed to the Parquet reader instead of reading everything.
PUSHDOWN_ROWS = 20_000
_META = "geotoolz:catalog"


def write_frame(
    frame: gpd.GeoDataFrame, path: str | Path | ObjectPath, base: Any, problems: tuple[Problem, ...]
) -> Place:
    """Write a catalog so that it is there completely or not at all.

    Raises
    ------
    WriteError
        If it cannot be written; an older file of that name is then untouched.
    """
    target = absolute_place(path)
    if target.suffix.lower() not in (".parquet", ".geoparquet"):
        raise WriteError(
            f"{target.name!r} has the suffix {target.suffix!r}",
            expected="a name that ends in .parquet",
            fix=f"call it {target.stem}.parquet",
        )
    if isinstance(target, ObjectPath):
        return _write_object(frame, target, base, problems)
    out = _sorted(rebased(frame, base, target.parent))
    out.attrs = {
        _META: {"version": 1, "problems": [[p.path, p.reason, p.kept, p.harmless] for p in problems]}
    }
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        out.to_parquet(
            temporary,
            index=False,
            compression="zstd",
            schema_version="1.1.0",
            write_covering_bbox=True,
            row_group_size=ROW_GROUP,
        )
        _recheck(temporary, len(out))
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as err:
        raise WriteError(
            f"{target} cannot be written: {err}",
            expected="a writable folder with space",
            fix="free space, or choose another path; an older file is kept",
        ) from err
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return target


def _write_object(
    frame: gpd.GeoDataFrame, target: ObjectPath, base: Any, problems: tuple[Problem, ...]
) -> ObjectPath:
    """Write a catalog for an object store here, with absolute sources, then send it whole."""
    target.store.probe()
    with tempfile.TemporaryDirectory(prefix="geotoolz-catalog-") as folder:
        # relative sources would be relative to a folder that is gone
        made = write_frame(
            rebased(frame, base, Path(folder)), Path(folder) / target.name, Path(folder), problems
        )
        target.store.write(target.key, Path(str(made)))
    return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _recheck(path: Path, rows: int) -> None:
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        os.fsync(file.fileno())
    held = pq.read_metadata(path).num_rows
    if held != rows:
        raise OSError(f"{held} of {rows} rows arrived")


def _sorted(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    import numpy as np

    if len(frame) < 2:
        return frame.reset_index(drop=True)
    order = np.lexsort((frame["id"].to_numpy(str), frame.hilbert_distance().to_numpy()))
    return frame.iloc[order].reset_index(drop=True)


def rebased(frame: gpd.GeoDataFrame, base: Any, folder: Path) -> gpd.GeoDataFrame:
    """Return the frame with its sources as a catalog in `folder` keeps them."""
    if base is not None and str(base) == str(folder):
        return frame.copy(deep=False)
    out = frame.copy(deep=False)

    prefix = f"{folder.as_posix()}/"

    def moved(href: str) -> str:
        # the common case without pathlib, which takes 20 µs a row
        if href.startswith(prefix) and "/." not in href and "//" not in href:
            return href[len(prefix) :]
        return relative(absolute(href, base), folder)

    out["source"] = out["source"].map(moved, na_action="ignore").astype("string")
    held = out["item"].notna().to_numpy(bool)
    if held.any():
        out["item"] = (
            out["item"].map(lambda text: _moved_item(text, moved), na_action="ignore").astype("string")
        )
    return out


def _moved_item(text: str, moved: Any) -> str:
    item = json.loads(text)
    for asset in item["assets"].values():
        asset["href"] = moved(asset["href"])
    return dump_json(item)


def read_frame(
    path: str | Path, area: BaseGeometry | None, interval: Interval | None
) -> tuple[gpd.GeoDataFrame, Any, tuple[Problem, ...]]:
    """Read a catalog; only what may lie in the area and time where the file is large.

    Returns
    -------
    tuple
        The frame, the folder that its sources start from, and the problems of its build.

    Raises
    ------
    ReadError
        If there is no file, or it is not Parquet.
    CatalogError
        If it is no catalog.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = str(path)
    filesystem, inner, base = _locate(text)
    try:
        metadata = pq.read_metadata(inner, filesystem=filesystem)
        narrow = metadata.num_rows > PUSHDOWN_ROWS and (area is not None or interval is not None)
        names = set(metadata.schema.to_arrow_schema().names)
        if narrow and {"bbox", "start_datetime", "end_datetime"} <= names:
            frame = _read_part(inner, filesystem, _expression(area, interval))
        else:
            frame = _read_all(inner, filesystem, text)
    except (pa.ArrowInvalid, OSError) as err:
        raise ReadError(
            f"{text} cannot be read: {err}", expected="a GeoParquet file", fix="build the catalog again"
        ) from err
    held = json.loads((metadata.metadata or {}).get(b"PANDAS_ATTRS", b"{}")).get(_META, {})
    problems = tuple(Problem(*p) for p in held.get("problems", ()))
    return typed(frame, text), base, problems


def _locate(text: str) -> tuple[Any, Any, Any]:
    if is_object(text):
        found = ObjectPath(text)
        try:
            return None, io.BytesIO(found.read_bytes()), text.rsplit("/", 1)[0]
        except FileNotFoundError as err:
            raise ReadError(f"{text} does not exist", expected="a catalog file (.parquet)") from err
    if is_uri(text):
        from pyarrow import fs

        filesystem, inner = fs.FileSystem.from_uri(text)
        return filesystem, inner, text.rsplit("/", 1)[0]
    path = (local_path(text) or Path(text)).absolute()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ReadError(
            f"{path} {what}",
            expected="a catalog file (.parquet)",
            fix="build one: geotoolz catalog build FOLDER",
        )
    if path.stat().st_size == 0:
        raise ReadError(f"{path} has 0 bytes", expected="a GeoParquet file", fix="build the catalog again")
    return None, str(path), path.parent


def _read_all(inner: str, filesystem: Any, shown: str) -> gpd.GeoDataFrame:
    import geopandas as gpd

    try:
        frame = gpd.read_parquet(inner, filesystem=filesystem)
    except ValueError as err:  # Parquet, but not GeoParquet
        raise CatalogError(f"{shown}: {err}", expected="a catalog that geotoolz wrote") from err
    return frame if frame.crs is None or frame.crs == "EPSG:4326" else frame.to_crs("EPSG:4326")


def _read_part(inner: str, filesystem: Any, expression: Any) -> gpd.GeoDataFrame:
    """Read the rows that may match; pyarrow skips row groups by their statistics."""
    import geopandas as gpd
    import pyarrow.dataset as pads
    import shapely

    data = pads.dataset(inner, format="parquet", filesystem=filesystem)
    columns = [name for name in data.schema.names if name != "bbox"]
    table = data.to_table(columns=columns, filter=expression)
    geometry = shapely.from_wkb(table.column("geometry").to_numpy(zero_copy_only=False))
    plain = table.drop_columns(["geometry"]).to_pandas()
    plain.attrs = {}
    return gpd.GeoDataFrame(plain, geometry=geometry, crs="EPSG:4326")


def _expression(area: BaseGeometry | None, interval: Interval | None) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc
    import shapely

    found: Any = None
    if area is not None:
        for part in shapely.get_parts(area):
            west, south, east, north = part.bounds
            hit = (
                (pc.field("bbox", "xmin") <= east)
                & (pc.field("bbox", "xmax") >= west)
                & (pc.field("bbox", "ymin") <= north)
                & (pc.field("bbox", "ymax") >= south)
            )
            found = hit if found is None else found | hit
    for name, end, sign in (("end_datetime", 0, ">="), ("start_datetime", 1, "<=")):
        limit = interval[end] if interval is not None else None
        if limit is not None:
            value = pa.scalar(limit, pa.timestamp("us", "UTC"))
            test = pc.field(name) >= value if sign == ">=" else pc.field(name) <= value
            found = test if found is None else found & test
    return found
