"""Arrays as parameters: by content, in files of fixed bytes, never unpickled."""

from __future__ import annotations

import hashlib
import io
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import (
    ArrayParam,
    Call,
    ConfigError,
    Freezable,
    FrozenArray,
    Map,
    ParameterError,
    Plan,
    ReadError,
    Reduce,
    Ref,
    Sequential,
    TileSpec,
    UntrustedOperatorError,
    VarSpec,
    as_array,
    check,
    chosen_bands,
    dump,
    freeze,
    load,
    load_sandboxed,
    run,
    save,
)
from geotoolz.core._json_schema import _operator_schema
from geotoolz.core.testing import assert_law, contract_tile
from geotoolz.radiometry import BoxMean, Moments, ToFloat32

Make = Callable[..., xr.Dataset]
Array = np.ndarray[Any, Any]


def distance(*planes: Any) -> Array:
    """Return the squared Mahalanobis distance; the order of all sums is written down."""
    *bands, mean, covariance = planes
    centre, inverse = as_array(mean), np.linalg.pinv(as_array(covariance))
    apart = [band.astype("f8") - centre[i] for i, band in enumerate(bands)]
    total = np.zeros(bands[0].shape)
    for i, a in enumerate(apart):
        for j, b in enumerate(apart):
            total += inverse[i, j] * a * b
    return total.astype("f4")


class _Mahalanobis(Freezable):
    """Distance of a pixel from the scene's mean, in units of its covariance."""

    bands: tuple[str, ...] = ("green", "red", "nir")
    mean: ArrayParam = None
    covariance: ArrayParam = None
    scope: str = "tile"

    @property
    def is_frozen(self) -> bool:
        return self.mean is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        return Moments(chosen_bands(tile, self.bands, "Mahalanobis"))

    def freeze(self, result: Any) -> _Mahalanobis:
        return self.replace(mean=result.mean, covariance=result.covariance)

    def plan(self, tile: TileSpec) -> Plan:
        reads = chosen_bands(tile, self.bands, "Mahalanobis")
        call = Call(reads, ("distance",), distance, (self.mean, self.covariance))
        return Plan(writes={"distance": VarSpec(attrs={"units": "1"})}, calls=(call,))


class _Table(Map):
    """An operator with arrays in all places."""

    first: ArrayParam = None
    more: tuple[FrozenArray | Ref, ...] = ()
    by_name: Mapping[str, FrozenArray | Ref] | None = None


# --- the value ------------------------------------------------------------------------------------
def test_equal_by_content() -> None:
    values = np.arange(6.0).reshape(2, 3)
    a, b = FrozenArray(values), FrozenArray(np.asfortranarray(values).astype(">f8"))
    values[0, 0] = 9
    assert a == b and hash(a) == hash(b) and repr(a) == repr(b)
    assert a.values[0, 0] == 0
    assert not a.values.flags.writeable
    others = [FrozenArray(v) for v in (a.values.astype("f4"), a.values.ravel(), -a.values, a.values.T)]
    assert len({a, *others}) == 5
    assert FrozenArray([np.nan]) == FrozenArray([np.nan])
    assert FrozenArray([0.0]) != FrozenArray([-0.0])
    assert a != values.tolist()
    assert pickle.loads(pickle.dumps(a)) == a
    np.testing.assert_array_equal(np.asarray(a), b.values)


@pytest.mark.parametrize(
    "values",
    [
        [],
        1.5,
        [True, False],
        np.zeros((2, 0, 3), "u2"),
        np.arange(300, dtype="i8"),
        np.ones((2, 3, 4, 5), "f4"),
    ],
)
def test_the_bytes_are_a_numpy_file(values: Any) -> None:
    array = FrozenArray(values)
    data = array.to_bytes()
    assert hashlib.sha256(data).hexdigest() == array.sha256
    assert (len(data) - array.values.nbytes) % 64 == 0
    again = np.load(io.BytesIO(data), allow_pickle=False)
    np.testing.assert_array_equal(again, array.values)
    assert again.dtype == array.dtype and again.shape == array.shape
    assert FrozenArray.from_bytes(data) == array


def test_the_bytes_literally() -> None:
    # If this fails, what was saved earlier has other hashes than what is saved now: was that meant?
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"
    assert FrozenArray([1.0]).to_bytes() == header.ljust(127) + b"\n" + b"\x00\x00\x00\x00\x00\x00\xf0?"


@pytest.mark.parametrize("values", [["a"], [1j], np.array([object()]), np.array(["2024"], "M8[Y]")])
def test_no_numbers(values: Any) -> None:
    with pytest.raises(ParameterError, match="cannot be a parameter"):
        FrozenArray(values)


# --- the field ------------------------------------------------------------------------------------
def test_fields_take_arrays_and_references_only(tmp_path: Path) -> None:
    array = FrozenArray([1.0, 2.0])
    assert _Table(np.array([1.0, 2.0])).first == _Table(array).first == array  # type: ignore[arg-type]
    assert _Table(array) == _Table(FrozenArray([1.0, 2.0])) != _Table(FrozenArray([1.0, 3.0]))
    assert hash(_Table(array)) == hash(_Table(FrozenArray([1.0, 2.0])))
    assert pickle.loads(pickle.dumps(_Table(array))) == _Table(array)
    for wrong in ([1.0, 2.0], "a.npy", 3, {"uri": "a"}):
        with pytest.raises(ParameterError, match="first"):
            _Table(wrong)  # type: ignore[arg-type]
    defs: dict[str, Any] = {}
    schema = _operator_schema("a._Table", _Table, defs)
    assert {"$ref": "#/$defs/Ref"} in schema["properties"]["first"]["anyOf"][0]["anyOf"]
    assert {"not": {}} in schema["properties"]["first"]["anyOf"][0]["anyOf"]
    assert defs["Ref"]["required"] == ["_target_", "uri", "sha256"]


def test_in_memory_there_is_no_configuration(make: Make) -> None:
    op = Sequential([BoxMean(1), _Table(more=(FrozenArray([1.0]),))])
    for act in (op.config, op.config_hash, lambda: dump(op)):
        with pytest.raises(ConfigError, match=r"operators\[1\] \(_Table\).*more is an array in memory.*save"):
            act()
    assert [f.text for f in check(Sequential([BoxMean(1)]), make())] == []


def test_saved_arrays_stand_in_files(tmp_path: Path) -> None:
    a, b = FrozenArray(np.eye(3)), FrozenArray(np.arange(4, dtype="u2"))
    op = Sequential([_Table(a, (b, a), {"x": b}), BoxMean(1)])
    path = save(op, tmp_path / "one")
    names = sorted(p.name for p in (tmp_path / "one" / "artefacts").iterdir())
    assert names == sorted([f"{a.sha256}.npy", f"{b.sha256}.npy"])
    loaded = load(path)
    held: Any = loaded[0]  # type: ignore[index]
    assert isinstance(held.first, Ref) and held.first.sha256 == a.sha256
    np.testing.assert_array_equal(as_array(held.first), a.values)
    np.testing.assert_array_equal(as_array(held.by_name["x"]), b.values)
    assert not as_array(held.first).flags.writeable
    again = save(loaded, tmp_path / "two")
    assert again.read_text() == path.read_text() == save(op, tmp_path / "one").read_text()
    assert load(again).config_hash() == loaded.config_hash()
    assert not list(tmp_path.rglob("*.part"))


def test_a_moved_folder_and_a_changed_file(tmp_path: Path) -> None:
    array = FrozenArray(np.random.default_rng(0).random(50))
    save(_Table(array), tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved: Any = load(tmp_path / "there" / "pipeline.yaml")
    file = tmp_path / "there" / "artefacts" / f"{array.sha256}.npy"
    assert Path(moved.first.uri) == file
    np.testing.assert_array_equal(as_array(moved.first), array.values)
    other = FrozenArray(np.zeros(50))
    file.write_bytes(other.to_bytes())
    (tmp_path / "third").symlink_to(tmp_path / "there")  # not read before from this place
    changed: Any = load(tmp_path / "third" / "pipeline.yaml").first  # type: ignore[attr-defined]
    unread = Ref(f"{tmp_path}/there/../there/artefacts/{file.name}", changed.sha256)
    with pytest.raises(ReadError, match=rf"{file.name}.*{other.sha256[:12]}.*{array.sha256[:12]}"):
        as_array(unread)
    file.unlink()
    with pytest.raises(ReadError, match="cannot be read"):
        as_array(Ref(f"{tmp_path}/there/./artefacts/{file.name}", changed.sha256))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "bad.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(ReadError, match=r"bad\.npy is no NumPy file of numbers"):
        as_array(Ref.of(path))
    path.write_bytes(pickle.dumps([1.0]))
    with pytest.raises(ReadError, match="no NumPy file"):
        as_array(Ref.of(path))
    for cut in (0, 5, 20, 130):
        path.write_bytes(FrozenArray([1.0, 2.0]).to_bytes()[:cut])
        with pytest.raises(ReadError, match="no NumPy file"):
            as_array(Ref.of(path))


def test_strangers_name_no_files(tmp_path: Path) -> None:
    path = save(_Table(FrozenArray([1.0])), tmp_path)
    with pytest.raises(UntrustedOperatorError, match="Ref is not allowed here"):
        load_sandboxed(path.read_text())


# --- an operator with a covariance ----------------------------------------------------------------
def test_a_covariance_is_frozen_saved_and_loaded(tmp_path: Path) -> None:
    tile = contract_tile((41, 43))
    op = Sequential([ToFloat32(), _Mahalanobis()])
    assert isinstance(op.config_hash(), str)  # nothing is frozen yet
    frozen = freeze(op, tile, threads=2)
    assert isinstance(frozen[1].covariance, FrozenArray)  # type: ignore[attr-defined]
    assert freeze(op, [tile.isel(y=slice(20, 41)), tile.isel(y=slice(20))]) == frozen
    loaded = load(save(frozen, tmp_path))
    out = frozen(tile)
    xr.testing.assert_identical(loaded(tile), out)  # type: ignore[operator]
    xr.testing.assert_identical(op(tile), out)
    xr.testing.assert_identical(run(loaded, tile, window=(7, 5), threads=3), out)
    bands = np.stack([tile[n].values[np.isfinite(tile.red.values)] for n in ("green", "red", "nir")]).astype(
        "f8"
    )
    apart = bands - bands.mean(axis=1, keepdims=True)
    expected = np.einsum("ip,ij,jp->p", apart, np.linalg.inv(np.cov(bands)), apart)
    np.testing.assert_allclose(out.distance.values[np.isfinite(tile.red.values)], expected, rtol=1e-5)
    assert freeze(loaded, tile) == loaded


def test_the_law_with_arrays(tmp_path: Path) -> None:
    tile = contract_tile((23, 29))
    assert_law(_Mahalanobis(), tile)
    assert_law(load(save(freeze(_Mahalanobis(), tile), tmp_path)), tile)
    lazy = freeze(_Mahalanobis(), tile)(tile.chunk({"y": 10, "x": 7}))
    xr.testing.assert_identical(lazy.compute(), freeze(_Mahalanobis(), tile)(tile))


def test_files_in_mappings_and_lists_are_named_as_seen_from_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tables").mkdir()
    np.save("tables/a.npy", np.arange(3.0))
    ref = Ref.of("tables/a.npy")
    op = _Table(first=ref, more=(ref,), by_name={"b": ref})
    Path("pipelines").mkdir()
    text = dump(op, "pipelines/a.yaml")
    assert Path("pipelines/a.yaml").read_text("utf-8") == text
    assert text.count("uri: ../tables/a.npy") == 3 and dump(op).count("uri: ../tables/a.npy") == 0
