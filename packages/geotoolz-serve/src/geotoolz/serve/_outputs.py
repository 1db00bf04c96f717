"""Results as files: COG, NPZ, PNG, JSON."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Program
from geotoolz.serve._errors import Problem
from geotoolz.serve._jobs import Answer

if TYPE_CHECKING:
    import xarray as xr

    from geotoolz.serve._process_run import Order

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_BLOCK = 1 << 22  # bytes of a row band that is copied at a time


@dataclass(frozen=True)
class Files:
    """The COGs of a result, by variable; several variables may share one."""

    paths: Mapping[str, str]


def cog_answer(folder: Path, name: str, files: Files, headers: Mapping[str, str]) -> Answer:
    """Return the COG; several of them in one zip."""
    paths = sorted(set(files.paths.values()))
    if len(paths) == 1:
        return Answer(Path(paths[0]), _COG, f"{name}.tif", headers)
    whole = folder / "result.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            archive.write(path, f"{name}_{Path(path).stem.removeprefix('result_')}.tif")
    return Answer(whole, "application/zip", f"{name}.zip", headers)


def npz_answer(folder: Path, name: str, files: Files, headers: Mapping[str, str]) -> Answer:
    """Return the arrays as NPZ: one per variable, ``transform``, ``crs``, ``config_hash``.

    Row bands are copied from the COG into the archive: memory does not grow with the scene.
    """
    from geotoolz.io import open_scene

    whole = folder / "result.npz"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        geobox = None
        for variable, path in files.paths.items():
            reader = open_scene(path, raw=True)
            spec, geobox = reader.spec.variables[variable], reader.spec.geobox
            rows, columns = reader.spec.shape
            lead = tuple(reader.spec.sizes[d] for d in spec.dims if d not in ("y", "x"))
            dtype = np.dtype(spec.dtype).newbyteorder("<")
            step = rows if lead else max(_BLOCK // max(columns * dtype.itemsize, 1), 1)
            with archive.open(f"{variable}.npy", "w", force_zip64=True) as member:
                header = {"descr": dtype.str, "fortran_order": False, "shape": (*lead, rows, columns)}
                np.lib.format.write_array_header_1_0(member, header)
                for top in range(0, rows, step):
                    band = reader.arrays([variable], slice(top, min(top + step, rows)), slice(0, columns))
                    member.write(np.ascontiguousarray(band[variable], dtype).tobytes())
        _write_facts(archive, geobox, headers)
    return Answer(whole, "application/x-npz", f"{name}.npz", headers)


def _write_facts(archive: zipfile.ZipFile, geobox: Any, headers: Mapping[str, str]) -> None:
    small = {
        "transform": np.array(tuple(geobox.affine)[:6]),
        "crs": np.array(str(geobox.crs)),
        "config_hash": np.array(headers.get("X-Config-Hash", "")),
    }
    for name, array in small.items():
        with archive.open(f"{name}.npy", "w") as member:
            np.lib.format.write_array(member, array, allow_pickle=False)


def png_answer(folder: Path, name: str, files: Files, size: int, headers: Mapping[str, str]) -> Answer:
    """Return a picture, read from the overview that has about its size."""
    path = folder / "result.png"
    path.write_bytes(picture(_small(files, size), size))
    return Answer(path, "image/png", f"{name}.png", headers)


def picture(tile: xr.Dataset, size: int | None, **how: Any) -> bytes:
    """Return a tile as PNG: a finished picture as it is, everything else as `quicklook` draws it."""
    from geotoolz.viz import quicklook

    return quicklook(tile, size=size, **how)


def _small(files: Files, size: int) -> xr.Dataset:
    """Read what a picture shows, not much finer than it is drawn."""
    from geotoolz.io import open_scene, open_tile

    paths = sorted(set(files.paths.values()))
    source: Any = paths[0] if len(paths) == 1 else paths
    spec = open_scene(source).spec
    factor = max(spec.shape) / size
    if spec.geobox is None or factor <= 1:
        return open_tile(source)
    return open_tile(source, resolution=abs(spec.geobox.resolution.x) * factor)


def json_answer(folder: Path, name: str, found: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    """Return facts as JSON."""
    path = folder / "result.json"
    path.write_text(json.dumps(plain(found), ensure_ascii=False), encoding="utf-8")
    return Answer(path, "application/json", f"{name}.json", headers)


def facts(
    order: Order, program: Program, names: tuple[str, ...], statistics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a result is like.

    Parameters
    ----------
    order : Order
    program : Program
        The pipeline, compiled on the source.
    names : tuple of str
        Variables of the result.
    statistics : mapping of str to object
        Results of the pipeline's own Reduce steps by path; under ``""`` those of the variables: name of
        the statistic → variable → value.
    """
    spec = program.output
    own = dict(statistics)
    numbers = own.pop("", {})
    variables = {}
    for name in names:
        one = spec.variables[name]
        variables[name] = {
            "dtype": str(one.dtype),
            "units": one.attrs.get("units"),
            "count": math.prod(spec.sizes[dim] for dim in one.dims),
            **_numbers(name, numbers),
        }
    box = spec.window_geobox
    return {
        "pipeline": order.name,
        "config_hash": order.config_hash,
        "shape": list(spec.shape),
        "crs": str(box.crs) if box is not None and box.crs is not None else None,
        "bounds": list(box.extent.boundingbox.bbox) if box is not None else None,
        "variables": variables,
        "statistics": own,
    }


def _numbers(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    if name not in found.get("Percentiles", {}):
        return {}
    quantiles = found["Percentiles"][name]
    low, high = found["Extremes"][name]
    mean, deviation = found["MeanStd"][name]
    return {
        "valid": int(quantiles.n),
        "min": low,
        "max": high,
        "mean": mean,
        "std": deviation,
        "percentiles": dict(zip(("2", "50", "98"), quantiles, strict=True)),
    }


def plain(value: Any) -> Any:
    """Return JSON types; NaN and infinity become null, which JSON has.

    Raises
    ------
    Problem
        500, for a type that has no such form.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if hasattr(value, "__dict__"):
        return plain({k: v for k, v in vars(value).items() if not k.startswith("_")})
    raise Problem("a statistic has no JSON form", status=500, code="internal_error")
