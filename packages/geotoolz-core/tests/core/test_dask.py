"""Lazy tiles: nothing computed, everything equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from dask.callbacks import Callback

from geotoolz.core import (
    Assertion,
    Branch,
    ExecutorError,
    Map,
    NotFrozenError,
    Plan,
    QCError,
    Sequential,
    Sink,
    TileSpec,
    VarSpec,
    freeze,
    run,
)
from geotoolz.radiometry import BoxMean, DNToReflectance, MinMax, PercentileClip, SelectBands, ToFloat32

Make = Callable[..., xr.Dataset]
PIPELINE = Sequential([ToFloat32(), BoxMean(2), Branch({"a": BoxMean(1, ("red",))}, prefix=True)])


class Counting(Callback):  # type: ignore[misc]
    """Counts the tasks that any scheduler of this process runs."""

    def __init__(self) -> None:
        super().__init__(pretask=self._count)
        self.n = 0

    def _count(self, *args: Any) -> None:
        self.n += 1


@pytest.mark.parametrize(
    "chunks",
    [
        {"y": 4, "x": 5},
        {"y": (1, 7, 3), "x": (13,)},
        {"y": -1, "x": 1},
        {"time": 1, "y": 5, "x": 5},
        {"time": 1},
    ],
    ids=repr,
)
def test_lazy_and_equal(make: Make, chunks: Any) -> None:
    ds = make((11, 13), times=2)
    with Counting() as tasks:
        lazy = PIPELINE(ds.chunk(chunks))
        assert tasks.n == 0
    assert all(lazy[n].chunks is not None for n in lazy.data_vars)
    expected = PIPELINE(ds)
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), expected)
    for name in expected.data_vars:
        assert lazy[name].dtype == expected[name].dtype
        assert lazy[name].values.tobytes() == expected[name].values.tobytes()


def test_one_lazy_variable_is_enough(make: Make) -> None:
    ds = make((8, 8))
    mixed = ds.assign(red=ds.red.chunk(3))
    with Counting() as tasks:
        lazy = BoxMean(2)(mixed)
        assert tasks.n == 0
    xr.testing.assert_identical(lazy.compute(), BoxMean(2)(ds))


def test_variables_in_different_chunks(make: Make) -> None:
    ds = make((9, 10))
    mixed = ds.assign(red=ds.red.chunk(y=4, x=3), nir=ds.nir.chunk(y=2, x=10))
    xr.testing.assert_identical(PIPELINE(mixed).compute(), PIPELINE(ds))


def test_only_what_is_asked_for_is_read(make: Make) -> None:
    ds = make((8, 8), bands=("red", "nir", "blue"))
    read: list[str] = []

    def load(name: str) -> Any:
        def block(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            read.append(name)
            return values

        return dask.array.from_array(ds[name].values, chunks=4).map_blocks(
            block, dtype="f4", meta=np.empty((0, 0), "f4")
        )

    lazy = ds.assign({n: (("y", "x"), load(n)) for n in ("red", "nir", "blue")})
    out = run(ToFloat32(), lazy, outputs=("nir",))
    assert isinstance(out, xr.Dataset)
    out.compute(scheduler="synchronous")
    assert set(read) == {"nir"}


def test_names_are_deterministic(make: Make) -> None:
    ds = make((8, 8)).chunk(y=4)
    for op in (PIPELINE, Sequential([BoxMean(1), _Even()])):
        assert op(ds).red.data.name == op(ds).red.data.name


def test_other_metadata_gives_other_names(make: Make) -> None:
    ds = make((4, 4), bands=("red",), dtype="u2").chunk(y=2)
    ds.red.attrs.update(scale_factor=1e-4, add_offset=0.0)
    shifted = ds.copy()
    shifted["red"] = ds.red.assign_attrs(add_offset=-0.1)
    holes = ds.copy()
    holes["red"] = ds.red.assign_attrs(_FillValue=int(ds.red[0, 0]))
    a, b, c = (DNToReflectance()(t).red for t in (ds, shifted, holes))
    a, b, c = dask.compute(a, b, c)
    np.testing.assert_allclose(a - b, 0.1, atol=1e-6)
    assert np.isnan(c[0, 0])
    assert not np.isnan(a[0, 0])


def test_other_kernels_under_one_class_name_give_other_names(make: Make) -> None:
    def made(function: Any) -> Map:
        class Same(Map):
            def plan(self, tile: TileSpec) -> Plan:
                return Plan(("red",), {"out": VarSpec()})

            kernel = staticmethod(function)

        return Same()

    ds = make((4, 4)).chunk(y=2)
    plus, minus = made(lambda a: a + a)(ds).out, made(lambda a: a - a)(ds).out
    plus, minus = dask.compute(plus, minus)
    assert (minus == 0).all()
    assert (plus > 0).all()


@pytest.mark.parametrize("op", [PercentileClip(), MinMax(scope="catalog")], ids=repr)
def test_unfrozen_is_refused_by_name(make: Make, op: Any) -> None:
    ds = make((8, 8))
    with pytest.raises(NotFrozenError, match=rf"operators\[1\] \({type(op).__name__}\)"):
        Sequential([ToFloat32(), op])(ds.chunk(y=4))
    xr.testing.assert_identical(freeze(op, ds)(ds.chunk(y=4)).compute(), freeze(op, ds)(ds))


class _Even(Assertion):
    """Fails if any pixel exceeds a limit."""

    limit: float = 1e9

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(("red",))

    def init(self, tile: TileSpec, previous: Any = None) -> float:
        return -np.inf

    def update(self, state: float, red: Any) -> float:
        return max(state, float(red.max()))

    def merge(self, a: float, b: float) -> float:
        return max(a, b)

    def finish(self, state: float) -> float:
        return state

    def decide(self, result: float, tile: TileSpec) -> None:
        if result > self.limit:
            raise QCError(f"{result} is too much")


def test_assertions_decide_when_any_chunk_is_computed(make: Make) -> None:
    ds = make((8, 8))
    lazy = ds.chunk(y=3, x=3)
    with Counting() as tasks:
        good, bad = Sequential([_Even(), BoxMean(1)])(lazy), Sequential([BoxMean(1), _Even(0.0)])(lazy)
        assert tasks.n == 0
    xr.testing.assert_identical(good.compute(), BoxMean(1)(ds))
    for part in (bad, bad.red[:1, :1], bad[["nir"]]):
        with pytest.raises(QCError, match="too much"):
            part.compute()


def test_a_sink_cannot_write_a_lazy_tile(make: Make) -> None:
    class Nowhere(Sink):
        def write(self, tile: xr.Dataset, *, created: tuple[str, ...]) -> tuple[str, ...]:
            raise AssertionError("written")

    with pytest.raises(ExecutorError, match="compute"):
        Sequential([BoxMean(1), Nowhere()])(make().chunk(y=2))


def test_no_kernel_no_tasks(make: Make) -> None:
    ds = make((8, 8)).chunk(y=4)
    out = SelectBands(["nir"])(ds)
    assert out.nir.data.name == ds.nir.data.name
