"""The COG writer at its edges: creation options, room, what is checked after writing, what is left behind."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import TileSpec, tile_from_arrays
from geotoolz.core._errors import MissingCRSError, MissingVariableError, ParameterError, WriteError
from geotoolz.core._extent import Extent
from geotoolz.io import WriteCOG, _cog, _stream_cog, write_tile
from geotoolz.io._cog import Encoding, Pending, copy_cog, free_bytes, write_cogs, write_errors
from geotoolz.io._stream_cog import _BLOCKS, CogStream
from geotoolz.io._style import MARK
from geotoolz.io._vrt import Layer, vrt_of
from geotoolz.io._write import require_crs

BOX = GeoBox((20, 30), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")


def layer(dtype: str = "f4", shape: tuple[int, int] = (20, 30), **attrs: Any) -> Layer:
    return Layer("a", np.arange(shape[0] * shape[1]).reshape(shape).astype(dtype), None, attrs)


AVERAGE = {"OVERVIEW_RESAMPLING": "AVERAGE"}
BASE = {"BLOCKSIZE": "512", "BIGTIFF": "IF_SAFER", "NUM_THREADS": "ALL_CPUS"}
OPTIONS: list[tuple[dict[str, Any], Layer, dict[str, str]]] = [
    ({}, layer(), {"COMPRESS": "ZSTD", "LEVEL": "3", "PREDICTOR": "YES", **AVERAGE}),
    ({"compress": "deflate", "level": 9, "blocksize": 256}, layer("u2"),
     {"COMPRESS": "DEFLATE", "LEVEL": "9", "BLOCKSIZE": "256", "PREDICTOR": "YES", **AVERAGE}),
    ({"compress": "deflate"}, layer("c8"),
     {"COMPRESS": "DEFLATE", "LEVEL": "6", "PREDICTOR": "NO", **AVERAGE}),
    ({"compress": "lzw", "overviews": "none"}, layer(),
     {"COMPRESS": "LZW", "PREDICTOR": "YES", "OVERVIEWS": "NONE"}),
    ({"compress": "none", "overviews": "cubic"}, layer(),
     {"COMPRESS": "NONE", "OVERVIEW_RESAMPLING": "CUBIC"}),
    ({"overviews": "cubic"}, layer("u1", quantity="flags"),
     {"COMPRESS": "ZSTD", "LEVEL": "3", "PREDICTOR": "NO", "OVERVIEW_RESAMPLING": "NEAREST"}),
    ({"predictor": "no", "level": 0}, layer(),
     {"COMPRESS": "ZSTD", "LEVEL": "0", "PREDICTOR": "NO", **AVERAGE}),
    ({"predictor": "yes"}, layer("u1", flag_meanings="a b"),
     {"COMPRESS": "ZSTD", "LEVEL": "3", "PREDICTOR": "YES", "OVERVIEW_RESAMPLING": "NEAREST"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "one", "wanted"), OPTIONS)
def test_creation_options(
    given: dict[str, Any], one: Layer, wanted: dict[str, str], monkeypatch: Any
) -> None:
    monkeypatch.delenv("GDAL_NUM_THREADS", raising=False)
    assert Encoding(**given).options([one]) == BASE | wanted
    assert Encoding(**given).options([one, layer()])["COMPRESS"] == wanted["COMPRESS"]
    assert Encoding(**given).options([one], 3)["NUM_THREADS"] == "3"
    monkeypatch.setenv("GDAL_NUM_THREADS", "1")
    assert Encoding(**given).options([one], 3)["NUM_THREADS"] == "1"


def test_one_band_of_classes_makes_all_of_a_file_classes() -> None:
    options = Encoding().options([layer("u1"), layer("u1", quantity="mask")])
    assert (options["PREDICTOR"], options["OVERVIEW_RESAMPLING"]) == ("NO", "NEAREST")


def test_room_counts_whole_blocks_twice() -> None:
    side = 512 * 512
    assert Encoding().room([layer("u1", (1, 1))]) == 2 * side
    assert Encoding().room([layer("f4", (512, 513))]) == 2 * 2 * 4 * side
    assert Encoding(blocksize=16).room([layer("u2", (17, 33)), layer("u2", (16, 16))]) == 2 * 256 * 2 * (
        6 + 1
    )


def test_the_same_bits() -> None:
    nan = np.array([[np.nan, -0.0, 1.5]], "f4")
    assert _cog._same_bits(nan, nan.copy())
    assert not _cog._same_bits(nan, np.array([[np.nan, 0.0, 1.5]], "f4"))
    both = np.array([[1 + 2j, np.nan]], "c16")
    assert _cog._same_bits(both, both.copy()) and not _cog._same_bits(both, both.conj())
    turned = np.asfortranarray(np.arange(6, dtype="u2").reshape(2, 3))
    assert _cog._same_bits(turned, np.ascontiguousarray(turned))


def written(path: Path, *layers: Layer, **how: Any) -> Path:
    given = list(layers) or [layer()]
    copy_cog(vrt_of(given, BOX, {}), path, given, Encoding(**how))
    return path


@pytest.mark.parametrize("where", [(0, 0), (19, 29), (16, 16)])
def test_first_and_last_block_are_compared(tmp_path: Path, where: tuple[int, int]) -> None:
    path = written(tmp_path / "a.tif", blocksize=128)
    _cog._check_file(path, [layer()])
    other = layer()
    other.pixels[where] += 1  # type: ignore[index]
    with pytest.raises(WriteError, match=r"band 'a' of .*a\.tif reads back differently"):
        _cog._check_file(path, [other])


@pytest.mark.parametrize("shape", [(19, 30), (20, 31), (20, 30)])
def test_another_size_is_another_file(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = written(tmp_path / "a.tif")
    given = [layer(shape=shape)] * (2 if shape == (20, 30) else 1)
    with pytest.raises(WriteError, match=r"has 1 × \(20, 30\) pixels after writing"):
        _cog._check_file(path, given)


def test_the_last_block_of_a_file_of_several(tmp_path: Path) -> None:
    big, box = layer("u2", (300, 200)), GeoBox((300, 200), BOX.affine, BOX.crs)
    copy_cog(vrt_of([big], box, {}), tmp_path / "a.tif", [big], Encoding(blocksize=128))
    _cog._check_file(tmp_path / "a.tif", [big])
    for where, seen in (
        ((0, 127), True),
        ((127, 0), True),
        ((299, 199), True),
        ((256, 128), True),
        ((200, 5), False),
    ):
        other = layer("u2", (300, 200))
        other.pixels[where] += 1  # type: ignore[index]
        if seen:
            with pytest.raises(WriteError, match="differently"):
                _cog._check_file(tmp_path / "a.tif", [other])
        else:
            _cog._check_file(tmp_path / "a.tif", [other])


@pytest.mark.parametrize("shape", [(256, 200), (255, 256), (257, 256), (256, 257)])
def test_the_last_block_of_files_of_whole_blocks(tmp_path: Path, shape: tuple[int, int]) -> None:
    big, box = layer("f4", shape), GeoBox(shape, BOX.affine, BOX.crs)
    copy_cog(vrt_of([big], box, {}), tmp_path / "a.tif", [big], Encoding(blocksize=128))
    _cog._check_file(tmp_path / "a.tif", [big])
    other = layer("f4", shape)
    other.pixels[-1, -1] += 1
    with pytest.raises(WriteError, match="differently"):
        _cog._check_file(tmp_path / "a.tif", [other])


@pytest.mark.parametrize("side", [129, 255, 257, 259, 512, 513, 515, 1025])
def test_every_side_can_be_written(tmp_path: Path, side: int) -> None:
    """Sides of overviews are rounded down: 257 pixels have one block of 128 there, not two."""
    pixels = np.arange(side * 130, dtype="u4").reshape(side, 130)
    for turned in (pixels, pixels.T):
        box = GeoBox(turned.shape, BOX.affine, BOX.crs)
        (path,) = write_tile(tile_from_arrays({"a": turned}, box), tmp_path / "a.tif", blocksize=128)
        with rasterio.open(path) as raster:
            np.testing.assert_array_equal(raster.read(1), turned)
            levels = len(raster.overviews(1))
        shapes = _cog._level_shapes(Path(path))
        assert shapes[0] == turned.shape and len(shapes) == levels + 1
        halves = [tuple(max(n >> level, 1) for n in turned.shape) for level in range(levels + 1)]
        assert shapes == halves


def fake(blocks: dict[tuple[int, int, int, int], tuple[int, int] | None]) -> Any:
    """Return a raster of 2 bands, 3 × 2 blocks of 16², one overview: (band, level, x, y) → offset, length."""

    def tag(name: str, ns: str, bidx: int, ovr: int = -1) -> str | None:
        kind, _, place = name.removeprefix("BLOCK_").partition("_")
        x, y = map(int, place.split("_"))
        assert ns == "TIFF" and x < (3 if ovr < 0 else 2) and y < (2 if ovr < 0 else 1)
        asked.append((bidx, ovr + 1, x, y))
        found = blocks.get((bidx, ovr + 1, x, y), (10, 5))
        return None if found is None else str(found[kind == "SIZE"])

    asked: list[tuple[int, int, int, int]] = []
    return SimpleNamespace(count=2, block_shapes=[(16, 16)] * 2, get_tag_item=tag, asked=asked)


SHAPES = [(20, 40), (10, 20)]


def test_every_block_of_every_level_lies_in_the_file() -> None:
    raster = fake({})
    _cog._check_blocks(raster, SHAPES, 15)
    places = {(b, 0, x, y) for b in (1, 2) for x in range(3) for y in range(2)}
    places |= {(b, 1, x, 0) for b in (1, 2) for x in range(2)}
    assert set(raster.asked) == places
    for band, level, x, y in sorted(places):
        for bad in (None, (11, 5), (10, 6)):
            with pytest.raises(WriteError, match=f"block {x}, {y} of band {band} is missing"):
                _cog._check_blocks(fake({(band, level, x, y): bad}), SHAPES, 15)


def test_errors_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"

    def raised(error: Exception, size: int) -> WriteError:
        with pytest.raises(WriteError) as caught, write_errors(path, size):
            raise error
        assert str(caught.value).startswith(f"{path} could not be written: ")
        assert f"check that {tmp_path} is a folder that can be written" in str(caught.value)
        return caught.value

    free = free_bytes(tmp_path)
    assert free is not None and free > 0 and free_bytes(tmp_path / "nowhere") is None
    monkeypatch.setattr(_cog, "free_bytes", lambda folder: 100)
    denied = raised(PermissionError(errno.EACCES, "Permission denied"), 100)
    assert denied.errno == errno.EACCES and "bytes are free" not in str(denied)
    full = raised(PermissionError(errno.EACCES, "Permission denied"), 101)
    assert full.errno == errno.ENOSPC and "100 bytes are free there, writing may take 101" in str(full)
    gdal = raised(rasterio.errors.RasterioIOError("no"), 0)
    assert gdal.errno is None
    monkeypatch.setattr(_cog, "free_bytes", lambda folder: None)
    assert raised(OSError(errno.EIO, "I/O error"), 10**18).errno == errno.EIO
    with pytest.raises(ZeroDivisionError), write_errors(path):
        raise ZeroDivisionError


def test_pending_files_appear_together_or_never(tmp_path: Path) -> None:
    names = [str(tmp_path / "sub" / "[a].tif"), str(tmp_path / "b.tif")]
    temporary = []
    with pytest.raises(KeyError), Pending(names) as pending:
        for name in names:
            with pending.writing(name, 10) as path:
                assert path.parent == Path(name).parent and path.parent.is_dir()
                assert path.name.startswith(f".{Path(name).name}.") and path.name.endswith(".tmp.tif")
                path.write_bytes(b"x")
                Path(f"{path}.ovr.tmp").write_bytes(b"y")
                temporary.append(path)
        assert len({p.name for p in temporary}) == 2
        raise KeyError
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    with Pending(names) as pending:
        for name in names:
            with pending.writing(name, 10) as path:
                path.write_bytes(name.encode())
        assert not any(Path(name).exists() for name in names)
        pending.publish()
    assert [Path(name).read_bytes().decode() for name in names] == names
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 2
    (tmp_path / "folder.tif").mkdir()
    with (
        Pending([str(tmp_path / "folder.tif")]) as pending,
        pytest.raises(WriteError, match=r"folder\.tif is a folder"),
        pending.writing(str(tmp_path / "folder.tif"), 1),
    ):
        pass


def test_what_stands_beside_a_file(tmp_path: Path) -> None:
    """Sidecars are replaced with their file; a style made in QGIS stays."""
    path, temporary = tmp_path / "a.tif", tmp_path / ".a.tif.x.tmp.tif"
    ours = f"<qgis>{MARK}</qgis>"

    def commit(sidecar: bool, style: str | None) -> None:
        temporary.write_bytes(b"new")
        if sidecar:
            Path(f"{temporary}.aux.xml").write_text("new")
        if style is not None:
            Path(f"{temporary}.qml").write_text(style)
        _cog._commit(temporary, path)

    commit(True, None)
    assert Path(f"{path}.aux.xml").read_text() == "new" and path.read_bytes() == b"new"
    commit(False, None)
    assert not Path(f"{path}.aux.xml").exists()
    style = path.with_suffix(".qml")
    style.write_text("<qgis>made by hand</qgis>")
    commit(False, ours)
    assert style.read_text() == "<qgis>made by hand</qgis>"
    style.unlink()
    commit(False, ours)
    assert style.read_text() == ours
    commit(False, ours + " again")
    assert style.read_text() == ours + " again"
    commit(False, None)  # it is no style of the new file
    assert not style.exists()
    commit(True, ours)
    commit(False, ours)
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".")) == ["a.qml", "a.tif"]


def test_files_are_written_with_their_pixels(tmp_path: Path) -> None:
    files = {str(tmp_path / "a.tif"): [layer()], str(tmp_path / "b.tif"): [layer("u2"), layer("u2")]}
    write_cogs(files, BOX, {"tile_id": "t"}, Encoding(compress="lzw", blocksize=128))
    for name, layers in files.items():
        with rasterio.open(name) as raster:
            assert raster.compression.name == "lzw" and raster.block_shapes[0] == (128, 128)
            for index, one in enumerate(layers, start=1):
                np.testing.assert_array_equal(raster.read(index), one.pixels)


# ---- parameters of the sink, and what streaming counts on --------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [{"path": "a.tiff"}, {"path": "A.TIF"}, {"blocksize": 64}, {"blocksize": 80}, {"level": 22}, {"level": 1},
     {"compress": "deflate", "level": 12}],
)  # fmt: skip
def test_what_is_just_allowed(given: dict[str, Any]) -> None:
    assert WriteCOG(**({"path": "a.tif"} | given)).config()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"blocksize": 48}, "blocksize=48; expected a multiple of 16, at least 64"),
        ({"blocksize": 72}, "blocksize=72; expected a multiple of 16"),
        ({"level": 23}, "level=23 for zstd; expected 1 … 22"),
        ({"level": 0}, "level=0 for zstd; expected 1 … 22"),
        ({"compress": "deflate", "level": 13}, "level=13 for deflate; expected 1 … 12"),
        ({"compress": "lzw", "level": 1}, "level=1 for lzw; expected no level: lzw has none"),
        ({"path": "a.zarr"}, "a name that ends in .tif; write_zarr"),
        ({"path": "a.png"}, "a name that ends in .tif$"),
        ({"bands": ()}, "bands is empty; expected at least one variable; leave it out"),
    ],
)
def test_what_is_no_longer_allowed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        WriteCOG(**({"path": "a.tif"} | given))


def test_a_variable_that_is_not_there_is_missed_by_the_sink() -> None:
    with pytest.raises(MissingVariableError, match=r"WriteCOG.*nothing"):
        WriteCOG("a.tif", bands=("nothing",)).output_paths(tile_from_arrays({"a": layer().pixels}, BOX))


def test_what_streaming_counts_on(tmp_path: Path) -> None:
    tile = TileSpec.of(tile_from_arrays({n: layer().pixels for n in "ab"} | {"c": layer("u1").pixels}, BOX))
    sink = WriteCOG(str(tmp_path / "{band}.tif"), blocksize=64)
    stream = CogStream(sink, tile, (), {"a": 0, "b": 1, "c": 2})
    assert stream.names == ("a", "b", "c") and stream.block == (64, 64)
    assert stream._room(str(tmp_path / "a.tif")) == 3 * 64 * 64 * 4
    assert stream._room(str(tmp_path / "c.tif")) == 3 * 64 * 64
    assert stream.raw == 20 * 30 * 4 and stream.cache == 16 * 2**20
    big = TileSpec.of(
        tile_from_arrays({n: np.zeros((600, 700)) for n in "ab"}, GeoBox((600, 700), BOX.affine, BOX.crs))
    )
    one = CogStream(WriteCOG(str(tmp_path / "x.tif"), blocksize=512), big, (), {"a": 0, "b": 1})
    assert one._room(str(tmp_path / "x.tif")) == 3 * 4 * 512 * 512 * 2 * 8
    assert one.raw == 600 * 700 * 2 * 8 and one.cache == max(16 * 2**20, _BLOCKS * 512 * 512 * 16)


@pytest.mark.parametrize("when", ["put", "finish"])
def test_what_may_be_written_is_told_when_a_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    tile = TileSpec.of(tile_from_arrays({"a": layer().pixels}, BOX))

    def fails(*given: Any, **more: Any) -> None:
        raise rasterio.errors.RasterioIOError("no")  # it does not say that a disk is full

    path = str(tmp_path / "a.tif")
    stream = CogStream(WriteCOG(path, blocksize=64), tile, (), {"a": 0})
    with (
        pytest.raises(
            WriteError, match=r"a\.tif could not be written: no; 100 bytes are free there"
        ) as caught,
        stream,
    ):
        monkeypatch.setattr(_cog, "free_bytes", lambda folder: 100)
        if when == "put":
            monkeypatch.setattr(stream._stagings[path], "put", fails)
            stream.put(0, Extent(0, 20, 0, 30), layer().pixels)
        monkeypatch.setattr(_stream_cog, "encode", fails)
        stream.finish(1)
    assert f"writing may take {3 * 64 * 64 * 4}" in str(caught.value) and caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_moved_into_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(temporary: Path, path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(_cog, "_commit", denied)
    with pytest.raises(WriteError, match=r"a\.tif could not be written: .*Permission denied"):
        write_cogs({str(tmp_path / "a.tif"): [layer()]}, BOX, {}, Encoding())
    assert list(tmp_path.iterdir()) == []


def test_overviews_of_complex_numbers(tmp_path: Path) -> None:
    box = GeoBox((200, 130), BOX.affine, BOX.crs)
    tile = tile_from_arrays({"slc": layer("c8", (200, 130)).pixels * np.complex64(1j)}, box)
    for given in ("average", "mode", "nearest", "none"):
        (path,) = write_tile(tile, tmp_path / f"{given}.tif", blocksize=64, overviews=given)
        with rasterio.open(path) as raster:
            np.testing.assert_array_equal(raster.read(1), tile["slc"].values)
            assert len(raster.overviews(1)) == (0 if given == "none" else 2)
    for given in ("bilinear", "cubic"):
        with pytest.raises(
            ParameterError, match=f"overviews='{given}', and 'slc' is complex64; expected average or"
        ):
            write_tile(tile, tmp_path / "a.tif", overviews=given)


def test_a_grid_without_a_crs_and_no_grid_at_all() -> None:
    for grid in (None, GeoBox(BOX.shape, BOX.affine, None)):
        with pytest.raises(MissingCRSError, match=r"the tile has no CRS.*write_crs"):
            require_crs(grid)
    assert require_crs(BOX) is BOX


@pytest.mark.parametrize("dtype", [">u2", ">f4", "<i4"])
def test_the_byte_order_of_arrays_does_not_matter(tmp_path: Path, dtype: str) -> None:
    pixels = layer(dtype).pixels
    (path,) = write_tile(tile_from_arrays({"a": pixels}, BOX), tmp_path / "a.tif")
    with rasterio.open(path) as raster:
        np.testing.assert_array_equal(raster.read(1), pixels)
        assert raster.dtypes[0] == np.dtype(dtype).newbyteorder("=").name


def test_no_data_goes_into_the_file_and_not_into_its_metadata(tmp_path: Path) -> None:
    pixels = layer("i2").pixels
    tile = tile_from_arrays({"a": np.asarray(pixels)}, BOX, nodata={"a": -9})
    tile.a.attrs["_FillValue"] = np.int16(-9)  # as xarray's own readers leave it
    (path,) = write_tile(tile, tmp_path / "a.tif")
    with rasterio.open(path) as raster:
        assert raster.nodata == -9
        assert "_FillValue" not in raster.tags(1) | raster.tags()
