"""What a computation ran on: packages, native libraries, processor."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import distributions
from typing import Any

from geotoolz.repro._findings import Finding, Kind, notes

CONTAINER_ENV = "GEOTOOLZ_CONTAINER_DIGEST"
#: a change of these is told although no pixel need change
_KINDS = {
    "packages": Kind.PACKAGE,
    "libraries": Kind.LIBRARY,
    "platform": Kind.PLATFORM,
    "python": Kind.PLATFORM,
}


def environment(container: str | None = None) -> dict[str, Any]:
    """Describe the running process.

    Parameters
    ----------
    container : str, optional
        The digest of the container image, which nobody can find out from within; by default the environment's
        ``GEOTOOLZ_CONTAINER_DIGEST``.

    Returns
    -------
    dict
        ``python``, ``platform``, ``packages`` (every installed distribution), ``libraries`` (GDAL, GEOS,
        BLAS, and PROJ twice: rasterio and pyproj bring one each), ``cpu``, ``container`` (None where it is
        not known).

    Examples
    --------
    >>> sorted(environment())
    ['container', 'cpu', 'libraries', 'packages', 'platform', 'python']
    """
    return {
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()),
        },
        "packages": dict(_packages()),
        "libraries": _libraries(),
        "cpu": _cpu(),
        "container": container or os.environ.get(CONTAINER_ENV) or None,
    }


@lru_cache(maxsize=1)
def _packages() -> tuple[tuple[str, str], ...]:
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:  # a folder that is half removed has none
            found.setdefault(str(canonicalize_name(name)), one.version)
    return tuple(sorted(found.items()))


def _libraries() -> dict[str, Any]:
    import numpy  # noqa: F401 - its BLAS is looked at
    import pyproj
    import rasterio
    from threadpoolctl import threadpool_info

    found = {
        "gdal": rasterio.__gdal_version__,
        "geos (rasterio)": rasterio.__geos_version__,
        "proj (rasterio)": rasterio.__proj_version__,
        "proj (pyproj)": pyproj.proj_version_str,
    }
    try:
        import shapely
    except ImportError:  # an extra of geotoolz-core
        pass
    else:
        found["geos (shapely)"] = ".".join(map(str, shapely.geos_version))
    blas = {
        f"{one['internal_api']} {one.get('version')} {one.get('architecture', '')}".strip()
        for one in threadpool_info()
        if one["user_api"] == "blas" and "numpy" in str(one.get("filepath"))
    }
    found["blas (numpy)"] = ", ".join(sorted(blas)) or "none that is known"
    return found


def _cpu() -> dict[str, Any]:
    """Return what code is chosen by: features that numpy sees, the processor that numba compiles for."""
    features: Mapping[str, bool] = {}
    for module in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        try:
            features = import_module(module).__cpu_features__
            break
        except (ImportError, AttributeError):  # private names of numpy, which may go
            continue
    llvm = import_module("llvmlite.binding")
    return {
        "features": sorted(name for name, there in features.items() if there),
        "target": llvm.get_host_cpu_name(),
    }


def environment_notes(frozen: Mapping[str, Any], now: Mapping[str, Any]) -> list[Finding]:
    """Return what is another than it was: notes, because pixels decide.

    Parameters
    ----------
    frozen, now : mapping
        As `environment` returns them.
    """
    found: list[Finding] = []
    for group, kind in _KINDS.items():
        old, new = dict(frozen.get(group) or {}), dict(now.get(group) or {})
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        told = [
            (name, str(new.get(name, "not installed")), str(old.get(name, "not installed"))) for name in names
        ]
        found += notes(kind, told)
    old_cpu, new_cpu = dict(frozen.get("cpu") or {}), dict(now.get("cpu") or {})
    had, have = set(old_cpu.get("features") or ()), set(new_cpu.get("features") or ())
    found += notes(Kind.CPU, [(name, "not there", "there") for name in sorted(had - have)])
    found += notes(Kind.CPU, [(name, "there", "not there") for name in sorted(have - had)])
    if old_cpu.get("target") != new_cpu.get("target"):
        found += notes(Kind.CPU, [("target", str(new_cpu.get("target")), str(old_cpu.get("target")))])
    if frozen.get("container") and now.get("container") and frozen["container"] != now["container"]:
        found += notes(Kind.PLATFORM, [("container", str(now["container"]), str(frozen["container"]))])
    return found
