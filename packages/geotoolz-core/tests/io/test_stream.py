"""File to file in windows: the same bytes, bounded memory, all or nothing."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from _rasters import UTM33, dn, write
from affine import Affine

from geotoolz.core import (
    Assertion,
    ExecutorError,
    Footprint,
    Graph,
    Input,
    Map,
    Merge,
    MissingVariableError,
    NotFrozenError,
    ParameterError,
    Plan,
    QCError,
    ReadError,
    Reduce,
    Sequential,
    Tap,
    TileError,
    TileSpec,
    VarSpec,
    WriteError,
    from_function,
    run,
    run_detailed,
)
from geotoolz.core.testing import data_path, simulate_scene, write_scene
from geotoolz.grid import Crop, Reproject, Resample
from geotoolz.io import (
    WriteCOG,
    WriteZarr,
    open_scene,
    open_tile,
    open_zarr,
    plan_stream,
    stream,
    write_tile,
)
from geotoolz.io.testing import assert_stream_law
from geotoolz.radiometry import BoxMean, MinMax, Percentiles, SelectBands


def _ratio(red, nir):
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = ((nir - red) / (nir + red)).astype(np.float32)
    return np.where(np.isnan(ratio), np.float32(np.nan), ratio)  # the sign of 0/0 depends on the loop


def _positive(red):
    return red > 0.1


class Ratio(Map):
    """Normalised difference, a mask and classes: three data types."""

    def plan(self, tile: TileSpec) -> Plan:
        red, nir = tile.find("red"), tile.find("nir")
        writes = {"ratio": VarSpec(attrs={"quantity": "index", "units": "1", "long_name": "Ratio"})}
        return Plan((red, nir), writes)

    kernel = staticmethod(_ratio)


class Bright(Map):
    """A mask."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(
            (tile.find("red"),), {"bright": VarSpec(dtype="bool", nodata=None, attrs={"quantity": "mask"})}
        )

    kernel = staticmethod(_positive)


class Count(Reduce):
    """Counts pixels."""

    def plan(self, tile):
        return Plan((tile.find("red"),))

    def init(self, tile, previous=None):
        return 0

    def update(self, state, *arrays):
        return state + arrays[0].size

    def merge(self, a, b):
        return a + b

    def finish(self, state):
        return state


class Enough(Assertion):
    """Passes tiles of at least so many pixels."""

    least: int = 0

    def plan(self, tile):
        return Plan((tile.find("red"),))

    def init(self, tile, previous=None):
        return 0

    def update(self, state, *arrays):
        return state + int(np.isfinite(arrays[0]).sum())

    def merge(self, a, b):
        return a + b

    def finish(self, state):
        return state

    def decide(self, result, tile):
        if result < self.least:
            raise QCError(f"{result} pixels", expected=f"{self.least}")


class WholeMean(Map):
    """Looks at the whole tile."""

    def plan(self, tile: TileSpec) -> Plan:
        from geotoolz.core import WHOLE

        return Plan((tile.find("red"),), {"mean": VarSpec()}, footprint=WHOLE)

    kernel = staticmethod(lambda red: np.full_like(red, np.nanmean(red)))


class RowMax(Map):
    """Looks at whole rows."""

    def plan(self, tile: TileSpec) -> Plan:
        from geotoolz.core import ALL

        return Plan((tile.find("red"),), {"most": VarSpec()}, footprint=Footprint(y=0, x=ALL))

    kernel = staticmethod(
        lambda red: np.broadcast_to(np.fmax.reduce(red, axis=1, keepdims=True), red.shape).copy()
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A scene of one file per band."""
    folder = tmp_path_factory.mktemp("scene")
    tile = simulate_scene((150, 170), bands=("green", "red", "nir", "scl"), cloud_cover=0.3, nodata_edge=True)
    write_tile(tile, folder / "{band}.tif", blocksize=128)
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """All bands of DN in one file, pixel by pixel, as providers and COGs have them."""
    pixels = np.stack([dn(150, 170, seed) for seed in range(4)])
    path = tmp_path_factory.mktemp("stack") / "stack.tif"
    return write(path, pixels, names=("blue", "green", "red", "nir"), nodata=0, tiled=True, blockxsize=64,
                 blockysize=48, interleave="pixel", compress="deflate")  # fmt: skip


def _left(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


# --- the law -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "op",
    [
        Ratio(),
        Sequential([BoxMean(bands=("red", "nir"), radius=7), Ratio(), Bright()]),
        SelectBands(("nir", "scl")),
        RowMax(),
        Sequential([Enough(least=1), Bright()]),
    ],
    ids=["pointwise", "halo", "pass-through", "rows", "assertion"],
)
def test_the_law_on_a_simulated_scene(scene, op):
    assert_stream_law(op, scene, windows=[(37, 53), (200, 300)], outputs=None)


def test_the_law_on_bands_of_one_file(stack):
    assert_stream_law(
        Sequential([BoxMean(bands=("red",), radius=2), Ratio()]), stack, windows=[(48, 64), (9, 170)]
    )


def test_the_law_on_windows_of_one_row_one_column_one_pixel(tmp_path):
    pixels = np.stack([dn(13, 11, seed) for seed in range(2)])
    path = write(tmp_path / "small.tif", pixels, names=("red", "nir"), nodata=0)
    assert_stream_law(
        Sequential([BoxMean(bands=("red",), radius=7), Ratio()]),
        path,
        windows=[(1, 11), (13, 1), (1, 1), (5, 5)],
    )


def test_the_law_on_digital_numbers(tmp_path):
    """Values through a table in large blocks, by arithmetic in small ones."""
    made = write_scene({"shape": (130, 150), "bands": ("red", "nir", "scl"), "cloud_cover": 0.3}, tmp_path)
    assert_stream_law(Ratio(), made, windows=[(7, 11), (130, 1)], threads=[2], outputs=("ratio", "red"))


def test_the_law_on_resampled_and_cut_bands(scene):
    assert_stream_law(Ratio(), scene, resolution=25, windows=[(17, 23)], threads=[1, 2])
    assert_stream_law(
        BoxMean(bands=("red",), radius=3), scene, aoi=_middle(scene), windows=[(17, 23)], threads=[2]
    )


def _middle(scene):
    box = open_scene(scene).geobox
    return box[30:120, 40:130]


@pytest.mark.parametrize(
    "op",
    [
        Resample(factor=2),
        Sequential(
            [
                BoxMean(bands=("red",), radius=3),
                Reproject("EPSG:32634", resolution=25.0, method="bilinear"),
                BoxMean(bands=("red",), radius=2),
                Count(),
            ]
        ),
        Crop((500300.0, 5098700.0, 501200.0, 5099700.0), crs="EPSG:32633"),
    ],
    ids=["resample", "reproject", "crop"],
)
def test_the_law_where_the_grid_changes(scene, op):
    assert_stream_law(op, scene, windows=[(37, 53), (11, 400)], threads=[1, 3])


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
@pytest.mark.parametrize("day", ["S2A_33TWL_20230818_0_L2A", "S2B_33TWL_20230820_0_L2A"])
def test_the_law_on_a_real_scene(day):
    source = data_path("s2_l2a_33TWL_croatia") / day
    op = Sequential([BoxMean(bands=("red",), radius=7), Ratio(), Bright()])
    assert_stream_law(
        op,
        source,
        bands=["red", "nir", "scl"],
        windows=[(256, 300)],
        threads=[3],
        outputs=("ratio", "bright", "scl"),
    )


def test_the_law_of_statistics(scene):
    op = Sequential([Percentiles(("red", "nir")), Ratio()])
    whole = run_detailed(op, open_tile(scene)).statistics
    for window, threads in [((37, 53), 3), ((150, 170), 1)]:
        found = stream(op, scene, outputs=(), window=window, threads=threads)
        assert repr(found.statistics) == repr(whole)
        assert found.paths == ()


# --- what is read and written ------------------------------------------------------------------------


def test_only_bands_that_lead_to_outputs_are_read(stack, tmp_path):
    result = stream(Ratio(), stack, tmp_path / "out.tif", threads=1)
    assert result.plan.reads == ("red", "nir")
    assert result.bytes_read >= 2 * 2 * 150 * 170
    assert list(open_tile(tmp_path / "out.tif")) == ["ratio"]
    assert stream(Ratio(), stack, tmp_path / "g.tif", outputs="green").plan.reads == ("green",)


def test_a_sink_takes_the_place_of_the_pipelines_own(scene, tmp_path):
    own = Sequential([Ratio(), WriteCOG(tmp_path / "a.tif", bands=("nir",), blocksize=128)])
    assert stream(own, scene, tmp_path / "b.tif").plan.outputs == ("nir",)
    with rasterio.open(tmp_path / "b.tif") as raster:
        assert raster.block_shapes[0] == (128, 128)
    assert stream(own, scene, tmp_path / "b.zarr").plan.outputs == ("nir",)
    assert stream(own, scene, WriteCOG(tmp_path / "c.tif")).plan.outputs == ("ratio",)
    assert not (tmp_path / "a.tif").exists()


def test_statistics_alone_need_a_reduce(scene):
    assert stream(Count(), scene, outputs=()).statistics == {"": 150 * 170}
    with pytest.raises(ParameterError, match="gathers no statistics"):
        stream(Ratio(), scene, outputs=())


def test_a_graph_of_two_scenes(tmp_path):
    for seed in (0, 1):
        tile = simulate_scene((90, 80), seed=seed, bands=("red", "nir"))
        write_tile(tile, tmp_path / str(seed) / "{band}.tif")
    old, new = Input("old"), Input("new")
    graph = Graph({"old": old, "new": new}, outputs={"both": Merge(prefix=True)(Ratio()(old), Ratio()(new))})
    sources = {"old": tmp_path / "0", "new": tmp_path / "1"}
    (path,) = stream(graph, sources, tmp_path / "out.zarr", window=(40, 50), threads=2).paths
    whole = run(graph, {name: open_tile(source) for name, source in sources.items()})["both"]
    back = open_zarr(path)
    assert len(back.data_vars) == 2
    for name in back.data_vars:
        assert back[name].identical(whole[name])


def test_several_types_go_into_several_files_or_one_store(scene, tmp_path):
    op = Sequential([Ratio(), Bright()])
    with pytest.raises(TileError, match=r"several kinds"):
        stream(op, scene, tmp_path / "all.tif")
    paths = stream(op, scene, WriteCOG(tmp_path / "{band}.tif")).paths
    assert [open_tile(p)[n].dtype.name for p, n in zip(paths, ("ratio", "bright"), strict=True)] == [
        "float32",
        "bool",
    ]
    (store,) = stream(op, scene, str(tmp_path / "all.zarr")).paths
    assert set(open_zarr(store)) == {"ratio", "bright"}
    assert _left(tmp_path)[:1] == ["all.zarr"]


def test_a_pipeline_that_ends_in_a_sink(scene, tmp_path):
    pipeline = Sequential([Ratio(), WriteCOG(tmp_path / "{item_id}.tif")])
    told = []
    result = stream(pipeline, scene, window=(64, 64), threads=2, progress=lambda n, of: told.append((n, of)))
    assert len(result.paths) == 1 and result.windows == 9
    assert told[-1] == (9, 9)
    assert "memory" in str(result) and "windows" in str(result.plan)
    assert set(result.seconds) == {"read", "compute", "write", "encode"}


# --- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "error", "match"),
    [
        (MinMax(bands=("red",)), NotFrozenError, "MinMax"),
        (Sequential([WholeMean()]), ExecutorError, r"operators\[0\] looks at the whole tile"),
        (Sequential([Tap(print)]), ExecutorError, r"operators\[0\] \(Tap\) holds a Python function"),
        (from_function(lambda ds: ds), ExecutorError, "holds a Python function"),
        (SelectBands(("swir16",)), MissingVariableError, "swir16"),
    ],
)
def test_steps_that_cannot_be_streamed_are_named(scene, tmp_path, op, error, match):
    with pytest.raises(error, match=match):
        stream(op, scene, tmp_path / "out.tif")
    assert _left(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"window": (0, 5)}, ExecutorError, "smaller than one pixel"),
        ({"window": 5}, ParameterError, "window=5"),
        ({"threads": 0}, ParameterError, "threads=0"),
        ({"threads": 1.5}, ParameterError, "threads=1.5"),
        ({"max_memory": "lots"}, ParameterError, "max_memory='lots'"),
        ({"max_memory": "1MB"}, ExecutorError, "expected max_memory of .* MB or more"),
        ({"outputs": "nothing"}, MissingVariableError, "nothing"),
    ],
)
def test_bad_arguments(scene, tmp_path, options, error, match):
    with pytest.raises(error, match=match):
        stream(Ratio(), scene, tmp_path / "out.tif", **options)
    assert _left(tmp_path) == []


def test_the_sink_is_missing_or_unknown(scene, tmp_path):
    with pytest.raises(ParameterError, match=r"give sink="):
        stream(Ratio(), scene)
    with pytest.raises(ParameterError, match="the sink is int"):
        stream(Ratio(), scene, 5)
    with pytest.raises(ParameterError, match=r"ends in \.tif"):
        stream(Ratio(), scene, tmp_path / "a.png")
    with pytest.raises(ParameterError, match="is open"):
        stream(Ratio(), open_scene(scene), tmp_path / "a.tif", aoi=(1, 2, 3, 4))


def test_an_empty_tile(scene, tmp_path):
    reader = open_scene(scene)
    reader.spec = TileSpec(reader.spec.variables, {"y": 0, "x": 5}, reader.geobox[:0, :5])
    for path in ("a.tif", "a.zarr"):
        with pytest.raises(TileError, match="empty"):
            stream(Ratio(), reader, tmp_path / path)
    with pytest.raises(TileError, match="empty"):
        stream(Count(), reader, outputs=())


# --- all or nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.tif", "out.zarr"])
def test_a_failing_assertion_leaves_nothing_behind(scene, tmp_path, name):
    with pytest.raises(QCError, match="pixels"):
        stream(Sequential([Enough(least=10**9), Ratio()]), scene, tmp_path / "new" / name, window=(64, 64))
    assert _left(tmp_path) == ["new"]
    result = stream(Sequential([Enough(least=5), Ratio()]), scene, tmp_path / "new" / name, window=(64, 64))
    assert result.statistics["operators[0]"] > 5
    assert {"new", f"new/{name}"} <= set(_left(tmp_path))


@pytest.mark.parametrize("name", ["out.tif", "out.zarr"])
def test_an_older_output_survives_a_failure_and_is_replaced_by_success(scene, tmp_path, name):
    (first,) = stream(Ratio(), scene, tmp_path / name).paths
    before = _left(tmp_path)
    with pytest.raises(QCError):
        stream(Sequential([Enough(least=10**9), Bright()]), scene, tmp_path / name)
    assert _left(tmp_path) == before
    stream(Bright(), scene, tmp_path / name)
    back = open_tile(first) if name.endswith("tif") else open_zarr(first)
    assert list(back) == ["bright"]


@pytest.mark.parametrize("name", ["out.tif", "out.zarr"])
def test_a_source_that_changes_while_it_is_read(tmp_path, name):
    path = write(tmp_path / "in.tif", dn(150, 170), names=("red",), nodata=0)

    def touch(done, of):
        if done == 3:
            os.utime(path, (1, 1))

    with pytest.raises(ReadError, match=r"in\.tif has changed"):
        stream(Bright(), path, tmp_path / "new" / name, window=(30, 170), threads=1, progress=touch)
    assert _left(tmp_path / "new") == []


def test_a_source_that_changed_after_it_was_opened(tmp_path):
    path = write(tmp_path / "in.tif", dn(50, 50), names=("red",), nodata=0)
    reader = open_scene(path)
    os.utime(path, (1, 1))
    with pytest.raises(ReadError, match="has changed"):
        stream(Bright(), reader, tmp_path / "out.tif")


@pytest.mark.parametrize("name", ["out.tif", "out.zarr"])
def test_a_full_disk_while_windows_are_written(scene, tmp_path, monkeypatch, name):
    from geotoolz.io import _staging
    from geotoolz.io._stream_zarr import ZarrStream

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_staging, "_write_all", full)
    monkeypatch.setattr(ZarrStream, "_make", full)
    with pytest.raises(WriteError, match="could not be written") as caught:
        stream(Ratio(), scene, tmp_path / name, window=(64, 64), threads=3)
    assert caught.value.errno == errno.ENOSPC
    assert _left(tmp_path) == []


def test_a_disk_that_is_too_small_is_told_before_a_pixel_is_read(scene, tmp_path, monkeypatch):
    from geotoolz.io import _stream_cog

    monkeypatch.setattr(_stream_cog, "free_bytes", lambda folder: 1000)
    told = []
    with pytest.raises(WriteError, match="temporary file alone takes") as caught:
        stream(Ratio(), scene, tmp_path / "out.tif", progress=lambda *n: told.append(n))
    assert caught.value.errno == errno.ENOSPC and told == []
    assert _left(tmp_path) == []


def test_a_size_limit_while_windows_are_written(scene, tmp_path):
    resource = pytest.importorskip("resource")
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
        with pytest.raises(WriteError, match="could not be written"):
            stream(Ratio(), scene, tmp_path / "out.tif", window=(64, 64))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert _left(tmp_path) == []


@pytest.mark.parametrize("name", ["out.tif", "out.zarr"])
def test_an_output_that_cannot_be_written(scene, tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError):
        stream(Ratio(), scene, tmp_path / "file" / name)
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(WriteError, match="is a folder"):
        stream(Ratio(), scene, tmp_path / "folder.tif")


def test_a_kernel_that_fails_stops_all_threads(scene, tmp_path):
    with pytest.raises(ZeroDivisionError):
        stream(Fails(), scene, tmp_path / "out.tif", window=(16, 16), threads=3)
    assert _left(tmp_path) == []


def _fails(red, extent):
    if extent.y0 > 60:
        raise ZeroDivisionError("on purpose")
    return red.astype(np.float32)


class Fails(Map):
    """Fails in the middle of the tile."""

    def plan(self, tile: TileSpec) -> Plan:
        from geotoolz.core import Call

        return Plan(writes={"a": VarSpec()}, calls=(Call(("red",), ("a",), _fails, located=True),))


def test_an_interrupt_leaves_nothing_behind(scene, tmp_path):
    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(Ratio(), scene, tmp_path / "out.tif", window=(16, 16), threads=2, progress=stop)
    assert _left(tmp_path) == []


# --- plan and memory ---------------------------------------------------------------------------------


def test_the_plan_is_kept(scene, tmp_path):
    plan = plan_stream(Ratio(), scene, tmp_path / "out.tif", window=(64, 64), threads=2)
    assert (plan.windows, plan.threads, plan.window) == (9, 2, (64, 64))
    assert plan.reads == ("red", "nir") and plan.outputs == ("ratio",)
    assert plan.memory > plan.baseline > 0
    assert _left(tmp_path) == []


def test_windows_are_whole_blocks_of_the_source(tmp_path):
    path = write(tmp_path / "in.tif", dn(2100, 2200), names=("red",), nodata=0, tiled=True, blockxsize=256,
                 blockysize=256)  # fmt: skip
    plan = plan_stream(Bright(), path, tmp_path / "out.tif", threads=2)
    assert plan.window[0] % 512 == 0 and plan.window[1] % 512 == 0
    less = plan_stream(Bright(), path, tmp_path / "out.tif", threads=2, window=(2100, 2200))
    assert sum(less.streaming.values()) > sum(plan.streaming.values())


def test_windows_are_whole_strips_of_the_source(tmp_path):
    path = write(tmp_path / "in.tif", dn(2100, 2200), names=("red",), nodata=0, tiled=False, blockysize=4)
    plan = plan_stream(Bright(), path, tmp_path / "out.tif", threads=2)
    assert plan.window[1] == 2200
    less = plan_stream(Bright(), path, tmp_path / "out.zarr", threads=2)
    limit = less.memory - 0.9 * (less.streaming["input"] + less.streaming["output"])
    less = plan_stream(Bright(), path, tmp_path / "out.zarr", max_memory=limit, threads=2)
    assert less.window[1] == 2200 and less.window[0] < plan.window[0]


def test_less_memory_is_smaller_windows_or_fewer_threads(tmp_path):
    path = write(tmp_path / "in.tif", dn(3000, 3000), names=("red",), nodata=0)
    op = BoxMean(bands=("red",), radius=3)
    free = plan_stream(op, path, tmp_path / "out.zarr", threads=2)
    limit = free.baseline + 0.8 * sum(free.streaming.values())
    plan = plan_stream(op, path, tmp_path / "out.zarr", max_memory=limit + 60e6 if limit < 0 else limit)
    assert plan.memory <= limit
    assert plan.threads < free.threads or np.prod(plan.window) < np.prod(free.window)
    with pytest.raises(ExecutorError, match=r"leave window=\(3000, 3000\) to the planner"):
        stream(op, path, tmp_path / "out.zarr", window=(3000, 3000), max_memory=limit)


def test_memory_is_what_was_announced(tmp_path):
    """In a process of its own: what other tests left in memory would hide what a stream takes."""
    path = write(tmp_path / "in.tif", np.stack([dn(2500, 2500, n) for n in (0, 1)]), names=("red", "nir"),
                 nodata=0, tiled=True, blockxsize=256, blockysize=256, interleave="pixel")  # fmt: skip
    code = (
        "import sys; from geotoolz.radiometry import BoxMean; from geotoolz.io import stream; "
        "r = stream(BoxMean(radius=5), sys.argv[1], sys.argv[2], threads=2, window=(1024, 1536)); "
        "print(r.peak_memory / r.plan.memory)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "out_{band}.tif")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 0.85 <= float(done.stdout) <= 1.1


def test_gdal_cache_is_as_it_was(scene, tmp_path):
    from rasterio._env import get_gdal_config

    before = get_gdal_config("GDAL_CACHEMAX")
    stream(Ratio(), scene, tmp_path / "out.tif")
    assert get_gdal_config("GDAL_CACHEMAX") == before
    with pytest.raises(QCError):
        stream(Sequential([Enough(least=10**9), Ratio()]), scene, tmp_path / "out.tif")
    assert get_gdal_config("GDAL_CACHEMAX") == before


# --- the staging file --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "c8", "c16"])
def test_gdal_reads_the_staging_file(tmp_path, dtype):
    from geotoolz.core import Extent
    from geotoolz.io._staging import Staging

    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 100, (2, 70, 50)).astype(dtype)
    staging = Staging(tmp_path / "s.tif", np.dtype(dtype), (70, 50), 2, 32)
    for band in (0, 1):
        for y in range(0, 70, 13):
            for x in range(0, 50, 17):
                extent = Extent(y, min(y + 13, 70), x, min(x + 17, 50))
                staging.put(band, extent, pixels[band, extent.y0 : extent.y1, extent.x0 : extent.x1])
    assert (staging.get(1, Extent(64, 70, 32, 50)) == pixels[1, 64:70, 32:50]).all()
    staging.close()
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(tmp_path / "s.tif") as raster:
        assert raster.dtypes[0] == np.dtype(dtype).name
        assert raster.block_shapes[0] == (32, 32)
        assert (raster.read() == pixels).all()


def test_zarr_sink_round_trip(tmp_path):
    tile = simulate_scene((40, 50), bands=("red", "scl"))
    (path,) = WriteZarr(tmp_path / "{item_id}.zarr", chunks=32).write(tile, created=("red",))
    back = open_zarr(path)
    assert back.red.identical(tile.red) and list(back) == ["red"]
    for bad in ("a.tif", "/vsis3/b/a.zarr", "{band}.zarr"):
        with pytest.raises(ParameterError):
            WriteZarr(bad)
    with pytest.raises(ParameterError, match="chunks=0"):
        WriteZarr("a.zarr", chunks=0)


def test_grids_that_are_not_utm(tmp_path):
    path = write(tmp_path / "in.tif", dn(70, 90), Affine(0.1, 0, 5, 0, -0.1, 50), "EPSG:4326", names=("red",))
    assert_stream_law(Bright(), path, windows=[(17, 90)], threads=[2])
    assert UTM33
