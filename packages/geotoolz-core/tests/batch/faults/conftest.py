from __future__ import annotations

import os
import sys
from multiprocessing import forkserver
from pathlib import Path

import gtz_faults
import pytest

from geotoolz.batch import _process

HELPERS = str(Path(gtz_faults.__file__).parent)
#: what a worker needs. Not all that this process holds: after other tests that is torch and Ray, and a list
#: too long for an environment variable, with which no process can be started
LIBRARIES = {
    "numpy",
    "pandas",
    "xarray",
    "rasterio",
    "pyproj",
    "shapely",
    "affine",
    "odc",
    "numba",
    "llvmlite",
    "yaml",
}
OURS = ("geotoolz.core", "geotoolz.io", "geotoolz.batch", "geotoolz.catalog")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    return gtz_faults.make_scenes(tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="session")
def expected(scenes, tmp_path_factory):
    """What an undisturbed run writes."""
    out = tmp_path_factory.mktemp("calm") / "out"
    assert gtz_faults.job(scenes, out).run().ok
    return gtz_faults.result_of(out)


@pytest.fixture(scope="session", autouse=True)
def warm(expected, tmp_path_factory):
    """Let workers start from a fork server that has imported what the calm run needed."""
    names = [name for name in sys.modules if name.split(".")[0] in LIBRARIES or name.startswith(OURS)]
    with pytest.MonkeyPatch.context() as patch:
        listing = tmp_path_factory.mktemp("warm") / "modules.txt"
        listing.write_text("\n".join(names), encoding="utf-8")
        patch.setenv("GTZ_WARM", str(listing))
        patch.setenv("PYTHONPATH", os.pathsep.join((HELPERS, os.environ.get("PYTHONPATH", ""))))
        patch.setattr(_process, "_PRELOAD", [*_process._PRELOAD, "gtz_warm"])
        forkserver._forkserver._stop()  # one of an earlier test has imported less
        yield
        forkserver._forkserver._stop()


@pytest.fixture
def out(tmp_path):
    """The folder of a disturbed run; its name is that of the calm one, for the items name it."""
    return Path(tmp_path) / "out"
