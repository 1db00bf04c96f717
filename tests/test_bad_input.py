"""Bad input: a typed error that says what was found, what was expected, what to do; nothing half-written.

Rows that the packages' own tests prove well are not repeated here. Full and read-only disks are real ones
(tmpfs in a mount namespace of its own), which also stop root; where mounting is refused they are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.batch import CatalogPipeline, ExitCode, Failure, FailureKind
from geotoolz.catalog import GeoCatalog
from geotoolz.cloud import MaskClouds
from geotoolz.core import (
    CatalogError,
    ConfigError,
    GeotoolzError,
    GridMismatchError,
    MissingCRSError,
    MissingVariableError,
    Operator,
    OutsideError,
    ParameterError,
    QCError,
    QuantityError,
    ReadError,
    Sequential,
    TileError,
    UnknownOperatorError,
    WriteError,
    check,
    dump,
    load,
)
from geotoolz.core.testing import simulate_scene, write_scene
from geotoolz.correction import DarkObjectSubtraction
from geotoolz.indices import NDVI, AppendIndex, NormalizedDifference
from geotoolz.io import WriteCOG, open_tile, write_tile
from geotoolz.qc import AssertValidFraction
from geotoolz.radiometry import BoxMean, DNToReflectance, MinMax, PercentileClip, SelectBands, ToFloat32

GEOTOOLZ = str(Path(sysconfig.get_path("scripts")) / "geotoolz")
PIPELINE = Sequential([MaskClouds(), NDVI(), WriteCOG("{item_id}_{band}.tif", compress="none")])


def refused(kind: type[GeotoolzError], call: Callable[[], object], *words: str) -> GeotoolzError:
    """Run a call that must be refused, in full sentences."""
    with pytest.raises(kind) as info:
        call()
    error = info.value
    assert error.found and error.expected and error.fix, f"half a message: {error}"
    for word in words:
        assert word in str(error)
    return error


def raster(
    path: Path, pixels: Any, corner: tuple[float, float] = (5e5, 5e6), crs: str | None = "EPSG:32633"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, cols = pixels.shape
    grid = Affine(10, 0, corner[0], 0, -10, corner[1])
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=cols,
        count=1,
        dtype=pixels.dtype,
        crs=crs,
        transform=grid,
    ) as file:
        file.write(pixels, 1)
    return path


def numbers(rows: int, cols: int) -> Any:
    return np.random.default_rng(0).integers(1, 9000, (rows, cols)).astype("u2")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for day in (10, 11, 12, 13):
        write_scene(
            {"shape": (256, 256), "bands": ("red", "nir", "scl"), "datetime": f"2023-06-{day}", "seed": day},
            folder,
        )
    return folder


# ---- pipelines and tiles ----


def test_misspelt_names_in_a_pipeline() -> None:
    text = "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.indices.{}\n  {}: red\n"
    error = refused_by_name(lambda: load(text.format("NDIV", "red")), UnknownOperatorError)
    assert "line 3" in str(error) and "did you mean 'geotoolz.indices.NDVI'" in str(error)
    refused(ParameterError, lambda: load(text.format("NDVI", "rde")), "line ", "did you mean 'red'")
    refused(ConfigError, lambda: load(text + "  - ["), "line")
    refused(ConfigError, lambda: load(""), "empty")


def refused_by_name(call: Callable[[], object], kind: type[GeotoolzError]) -> GeotoolzError:
    with pytest.raises(kind) as info:
        call()
    return info.value


def test_bands_over_other_ground(tmp_path: Path) -> None:
    """A band that ends elsewhere was once filled up with no-data in silence."""
    raster(tmp_path / "S2A_33TWL_20230101_B04.tif", numbers(30, 30))
    for shape, corner in (((25, 30), (5e5, 5e6)), ((30, 30), (9e5, 5e6)), ((40, 30), (5e5, 5e6))):
        raster(tmp_path / "S2A_33TWL_20230101_B08.tif", numbers(*shape), corner)
        refused(GridMismatchError, lambda: open_tile(tmp_path, raw=True), "covers", "geobox=")
    raster(tmp_path / "S2A_33TWL_20230101_B08.tif", numbers(25, 30))
    on_purpose = GeoBox((30, 30), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    assert (open_tile(tmp_path, raw=True, geobox=on_purpose).nir.values[25:] == 0).all()
    raster(tmp_path / "S2A_33TWL_20230101_B08.tif", numbers(30, 30), crs="EPSG:32634")
    refused(GridMismatchError, lambda: open_tile(tmp_path, raw=True), "EPSG:32634")


def test_a_tile_without_crs_is_not_written(tmp_path: Path) -> None:
    tile = simulate_scene((8, 8), bands=("red",)).drop_vars("spatial_ref")
    refused(MissingCRSError, lambda: write_tile(tile, tmp_path / "x.tif"), "write_crs")
    refused(
        MissingCRSError,
        lambda: open_tile(raster(tmp_path / "bare.tif", numbers(9, 9), crs=None)),
        "gdal_edit",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bare.tif"]


def test_a_window_outside_the_scene(scenes: Path) -> None:
    scene = sorted(scenes.iterdir())[0]
    away = GeoBox((9, 9), Affine(10, 0, 0, 0, -10, 0), "EPSG:32633")
    refused(OutsideError, lambda: open_tile(scene, geobox=away), "lies outside")
    refused(OutsideError, lambda: open_tile(scene, aoi=(0, 0, 1, 1)), "lies outside")


DN = simulate_scene((16, 16), raw=True)
MEANT = simulate_scene((16, 16))
NONSENSE: list[tuple[Operator, xr.Dataset, str]] = [
    (NDVI(), DN, "DNToReflectance"),
    (Sequential([MaskClouds(), NDVI()]), DN, "DNToReflectance"),
    (Sequential([ToFloat32(), NDVI()]), DN, "DNToReflectance"),
    (Sequential([BoxMean(1), NormalizedDifference("nir", "red")]), DN, "DNToReflectance"),
    (AppendIndex(NDVI()), DN, "DNToReflectance"),
    (Sequential([PercentileClip(), NDVI()]), MEANT, "before the stretch"),
    (
        Sequential([MinMax(limits={"red": (0, 1), "nir": (0, 1)}), SelectBands(("red", "nir")), NDVI()]),
        MEANT,
        "stretch",
    ),
    (DarkObjectSubtraction(), MEANT, "leave DarkObjectSubtraction out"),
    (DNToReflectance(), MEANT, "leave DNToReflectance out"),
]


@pytest.mark.parametrize(("op", "tile", "fix"), NONSENSE, ids=lambda value: repr(value)[:40])
def test_nonsense_is_an_error_of_check_and_of_the_call(op: Operator, tile: xr.Dataset, fix: str) -> None:
    errors = [finding for finding in check(op, tile) if finding.level == "error"]
    assert len(errors) == 1 and fix in errors[0].message
    refused(QuantityError, lambda: op(tile), fix)  # type: ignore[operator]


def test_check_on_the_command_line(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "dark.yaml").write_text(dump(DarkObjectSubtraction()))
    (tmp_path / "mixed.yaml").write_text(
        dump(Sequential([SelectBands(("red", "scl")), WriteCOG("{item_id}.tif")]))
    )
    for name, said in (("dark", "surface reflectance"), ("mixed", "put {band} into the path")):
        done = geotoolz("check", f"{name}.yaml", str(scenes), cwd=tmp_path)
        assert done.returncode == ExitCode.USAGE == 2, done.stdout + done.stderr
        assert said in " ".join((done.stdout + done.stderr).split()) and "Traceback" not in done.stderr


def test_nan_only_and_no_data_only_tiles(tmp_path: Path) -> None:
    void = DN.copy(deep=True)
    for name in void.data_vars:
        void[name].values[:] = void[name].attrs.get("_FillValue", 0)
    indexed = Sequential([DNToReflectance(), NDVI(), BoxMean(1, ("ndvi",))])(void)
    assert bool(indexed.ndvi.isnull().all())
    checked = Sequential(
        [DNToReflectance(), NDVI(), AssertValidFraction(0.1, ("ndvi",)), WriteCOG(str(tmp_path / "x.tif"))]
    )
    refused(QCError, lambda: checked(void), "0.0% valid", "at least 10.0%")
    assert not any(tmp_path.iterdir())


# ---- files ----


def test_broken_files_are_bad_data_and_not_tried_again(tmp_path: Path) -> None:
    """GDAL's own error numbers were once read as the system's: 4, "open failed", as EINTR."""
    whole = raster(tmp_path / "whole.tif", numbers(300, 300)).read_bytes()
    broken = bytearray(whole)
    broken[:200] = bytes(200)
    texts = {
        "cut.tif": whole[: len(whole) // 2],
        "text.tif": b"text" * 99,
        "zero.tif": b"",
        "broken.tif": broken,
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    for name in (*texts, "absent.tif"):
        error = refused(ReadError, lambda name=name: open_tile(tmp_path / name), name)  # type: ignore[misc]
        assert Failure.of(error).kind is FailureKind.BAD_DATA


def test_an_errno_of_gdal_is_none_of_the_system() -> None:
    class Gdal(Exception):
        errno = 4

    error = ReadError("x.tif cannot be read")
    error.__cause__ = Gdal("open failed")
    assert Failure.of(error).kind is FailureKind.BAD_DATA
    refusal = WriteError("x.tif could not be written")
    refusal.__cause__ = type("Gdal", (Exception,), {"errno": 1})("bad option")  # EPERM is 1
    assert Failure.of(refusal).kind is FailureKind.ERROR


def test_empty_catalogs(tmp_path: Path, scenes: Path) -> None:
    (tmp_path / "nothing").mkdir()
    refused(CatalogError, lambda: GeoCatalog.build(tmp_path / "nothing"), "no files")
    none = GeoCatalog.build(scenes).filter("platform = nobody")
    refused(GeotoolzError, lambda: CatalogPipeline(none, NDVI(), tmp_path / "out").run(), "empty")
    assert not (tmp_path / "out").exists()


def test_several_kinds_with_one_path_leave_nothing(tmp_path: Path) -> None:
    op = Sequential([SelectBands(("red", "scl")), WriteCOG(str(tmp_path / "{item_id}.tif"))])
    refused(TileError, lambda: op(MEANT), "several kinds", "{band}")
    refused(MissingVariableError, lambda: MaskClouds()(MEANT[["red"]]), "scl, qa_pixel, qa60")
    assert not any(tmp_path.iterdir())


# ---- disks ----


def geotoolz(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GEOTOOLZ, *args], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


def on_a_disk(options: str, code: str, *args: str) -> str:
    """Run Python code with a small disk of its own at ``disk`` (a folder given as the first argument)."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: a disk cannot be mounted for a test")
    mount = f'mount -t tmpfs -o {options} tmpfs "$1"'
    probe = ["unshare", "-m", "sh", "-c", mount, "sh", args[0]]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a disk of its own")
    script = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$2" -W ignore -c "$3" "$1" "$4"', "sh", args[0]]
    command = [*script, sys.executable, textwrap.dedent(PRELUDE) + textwrap.dedent(code), *args[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


PRELUDE = """
    import os, subprocess, sys, time
    from pathlib import Path
    from geotoolz.batch import Failure
    from geotoolz.core import GeotoolzError, WriteError
    from geotoolz.core.testing import simulate_scene
    from geotoolz.io import write_tile, write_zarr
    disk, work = Path(sys.argv[1]), Path(sys.argv[2])
    def left():
        return sorted(path.relative_to(disk).as_posix() for path in disk.rglob("*"))
    def refused(call):
        try:
            call()
        except WriteError as error:
            assert error.found and error.expected and error.fix, error
            return error
        raise SystemExit("it was not refused")
    def cli(*args):
        command = [os.path.join(os.path.dirname(sys.executable), "geotoolz"), *args]
        return subprocess.run(command, cwd=work, capture_output=True, text=True)
"""


def disk_of(tmp_path: Path, scenes: Path) -> tuple[str, str]:
    (tmp_path / "disk").mkdir()
    (tmp_path / "ndvi.yaml").write_text(dump(PIPELINE))
    shutil.copytree(scenes, tmp_path / "scenes")
    return str(tmp_path / "disk"), str(tmp_path)


def test_a_full_disk_takes_no_half_files(tmp_path: Path, scenes: Path) -> None:
    code = """
    tile = simulate_scene((900, 900), bands=("red",))
    for compress in ("none", "zstd"):
        error = refused(lambda: write_tile(tile, disk / "x.tif", compress=compress))
        assert Failure.of(error).kind == "output", Failure.of(error)
        assert "bytes are free there" in str(error), error
    refused(lambda: write_zarr(tile, disk / "x.zarr"))
    time.sleep(1)
    assert left() == [], left()
    """
    on_a_disk("size=1m", code, *disk_of(tmp_path, scenes))


def test_a_run_on_a_disk_that_fills_up(tmp_path: Path, scenes: Path) -> None:
    code = """
    done = cli("run", "ndvi.yaml", "scenes", "disk/out", "-q")
    assert done.returncode == 4 and "cannot be written" in done.stdout, done
    assert "Traceback" not in done.stderr, done.stderr
    items, images = len(list(disk.glob("out/items/*.json"))), len(list(disk.glob("out/*.tif")))
    assert items == images < 4 and items > 0, left()
    assert not list(disk.glob("out/.geotoolz/staging/*")), left()
    with open(disk / "rest", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    before = left()
    done = cli("catalog", "build", "scenes", "--out", "disk/c.parquet")
    assert done.returncode == 2 and "what to do: " in done.stderr, done
    done = cli("run", "ndvi.yaml", "scenes", "disk/other", "-q")
    assert done.returncode == 2 and "free space, choose another folder" in done.stderr, done
    files = [name for name in left() if name not in before and not (disk / name).is_dir()]
    assert files == [], files
    """
    on_a_disk("size=3m", code, *disk_of(tmp_path, scenes))


def test_a_read_only_disk(tmp_path: Path, scenes: Path) -> None:
    code = """
    tile = simulate_scene((32, 32), bands=("red",))
    for write in (lambda: write_tile(tile, disk / "x.tif"), lambda: write_zarr(tile, disk / "x.zarr")):
        assert "Read-only file system" in str(refused(write))
    build = ("catalog", "build", "scenes", "--out", "disk/c.parquet")
    for args in (("run", "ndvi.yaml", "scenes", "disk/out", "-q"), build):
        done = cli(*args)
        assert done.returncode == 2 and "Read-only file system" in done.stderr, done
        assert "what to do: " in done.stderr or "choose another folder" in done.stderr, done
    assert left() == []
    """
    on_a_disk("ro,size=1m", code, *disk_of(tmp_path, scenes))


def test_looking_at_a_folder_that_became_read_only(tmp_path: Path, scenes: Path) -> None:
    code = """
    assert cli("run", "ndvi.yaml", "scenes", "disk/out", "-q").returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    before = left()
    for args in (("status", "disk/out"), ("report", "disk/out"), ("plan", "ndvi.yaml", "scenes", "disk/out")):
        done = cli(*args)
        assert done.returncode == 0, done
    assert cli("run", "ndvi.yaml", "scenes", "disk/out", "-q").returncode == 0  # nothing to do
    text = (work / "ndvi.yaml").read_text().replace("indices.NDVI", "indices.NDVI\\n  name: other")
    (work / "ndvi.yaml").write_text(text)
    done = cli("run", "ndvi.yaml", "scenes", "disk/out", "-q")
    assert done.returncode == 2 and "Read-only file system" in done.stderr, done
    assert left() == before
    """
    on_a_disk("size=9m", code, *disk_of(tmp_path, scenes))
