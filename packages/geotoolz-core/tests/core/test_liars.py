"""Operators that lie about what they do are caught by the law, each in its own way."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import (
    ALL,
    Call,
    Extent,
    Footprint,
    GridChange,
    Map,
    Plan,
    Reduce,
    TileError,
    TileSpec,
    VarSpec,
    run,
)
from geotoolz.core.testing import LawBrokenError, assert_law, contract_tile

RED = {"red": VarSpec()}


def planned(kernel: Any, footprint: Footprint | None = None, *, located: bool = False) -> Any:
    def plan(self: Any, tile: TileSpec) -> Plan:
        call = Call(("red",), ("red",), kernel, (), footprint or Footprint(), located)
        return Plan(writes={"red": VarSpec(attrs=tile.variables["red"].attrs)}, calls=(call,))

    return plan


def finite(a: np.ndarray) -> np.ndarray:
    return np.nan_to_num(a, posinf=0, neginf=0)


def shifted_sum(a: np.ndarray) -> np.ndarray:
    """Sum of each pixel and its neighbours two rows away."""
    out = a.copy()
    out[..., 2:, :] += a[..., :-2, :]
    out[..., :-2, :] += a[..., 2:, :]
    return out


class ShortSighted(Map):
    """Looks two rows far and says one."""

    plan = planned(shifted_sum, Footprint(y=1))


class Global(Map):
    """Subtracts the mean of whatever it is handed."""

    plan = planned(lambda a: a - np.nanmean(a) if a.size else a)


class Running(Map):
    """Sums from the first row it sees."""

    plan = planned(lambda a: finite(a).cumsum(axis=-2, dtype=np.float32))


class Sparse(Map):
    """Differs from pointwise only where one bright pixel stands."""

    plan = planned(lambda a: np.where(np.nanmax(a, initial=0) > 0.8, a * 2, a).astype("f4"))


class Placed(Map):
    """Uses the row within its window as if it were the row within the tile."""

    plan = planned(lambda a: (a + np.arange(a.shape[-2])[:, None]).astype("f4"))


def pooled(a: np.ndarray) -> np.ndarray:
    out = a.copy()
    for y in range(0, a.shape[-2], 4):
        out[..., y : y + 4, :] = a[..., y : y + 1, :]
    return out


class Misaligned(Map):
    """Works in blocks of four rows and does not say that they must start at multiples of four."""

    plan = planned(pooled, Footprint(y=4))


class Moody(Map):
    """Another result at each call."""

    rng: ClassVar[Any] = np.random.default_rng(0)
    plan = planned(lambda a: (a + Moody.rng.random(a.shape)).astype("f4"))


class Smoothing(Map):
    """Its kernel mends what it sees beyond the tile by reflection, which a window has nowhere."""

    plan = planned(lambda a: (a + np.roll(a, 1, axis=-1)).astype("f4"), Footprint(x=1))


class Halved(GridChange):
    """Twice as coarse, and forgets one row on the way back."""

    def backward(self, extent: Extent) -> Extent:
        return Extent(2 * extent.y0, 2 * extent.y1 - 2, 2 * extent.x0, 2 * extent.x1)


def every_second(a: np.ndarray, *, extent: Extent, source: Extent) -> np.ndarray:
    out = np.zeros((*a.shape[:-2], *extent.shape), a.dtype)
    part = a[..., 1::2, 1::2]  # the second row of each pair
    out[..., : part.shape[-2], : part.shape[-1]] = part
    return out


class Forgetful(Map):
    """Changes the grid and maps windows back to too few pixels."""

    def plan(self, tile: TileSpec) -> Plan:
        box = tile.require_geobox("Forgetful").zoom_out(2)
        change = Halved(box, (tile.shape[0] // 2, tile.shape[1] // 2), (0, 0), tile.shape, (2.0, 2.0))
        keep = tile.variables["red"]
        drops = tuple(name for name in tile.variables if name != "red")
        call = Call(("red",), ("red",), every_second)
        return Plan(writes={"red": keep}, calls=(call,), drops=drops, grid=change)


class Ordered(Reduce):
    """Sums in float32, in the order in which blocks come."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(("red",))

    def init(self, tile: TileSpec, previous: Any = None) -> np.float32:
        return np.float32(0)

    def update(self, state: np.float32, *arrays: Any) -> np.float32:
        return np.float32(state + np.float32(np.nansum(arrays[0] * np.float32(1e3), dtype=np.float32)))

    def merge(self, a: np.float32, b: np.float32) -> np.float32:
        return np.float32(a + b)

    def finish(self, state: np.float32) -> float:
        return float(state)


class Last(Reduce):
    """Keeps what came last."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(("red",))

    def init(self, tile: TileSpec, previous: Any = None) -> float:
        return 0.0

    def update(self, state: float, *arrays: Any) -> float:
        return float(finite(arrays[0]).reshape(-1)[-1]) if arrays[0].size else state

    def merge(self, a: float, b: float) -> float:
        return b

    def finish(self, state: float) -> float:
        return state


MAPS = [ShortSighted, Global, Running, Sparse, Placed, Misaligned, Moody, Smoothing, Forgetful]
LIARS = [*MAPS, Ordered, Last]


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("liar", LIARS, ids=lambda c: c.__name__)
def test_liars_are_caught(liar: Any) -> None:
    with pytest.raises(LawBrokenError):
        assert_law(liar(), contract_tile((23, 29)))


class Writes(Map):
    """Writes into its input."""

    @staticmethod
    def _kernel(a: np.ndarray) -> np.ndarray:
        a += 1
        return a

    plan = planned(lambda a: Writes._kernel(a))


def test_writing_into_the_input_is_an_error() -> None:
    with pytest.raises(ValueError, match="read-only"):
        run(Writes(), contract_tile((8, 8)))


class WrongShape(Map):
    """Returns a smaller array than it promised."""

    plan = planned(lambda a: a[..., 1:, :], Footprint(y=1))


def test_another_shape_is_an_error() -> None:
    with pytest.raises(TileError, match="returned shape"):
        run(WrongShape(), contract_tile((8, 8)), window=(4, 4))


# --- honest operators of unusual shape --------------------------------------------------------------


class RowSum(Map):
    """Every pixel becomes the sum of its row: looks along x without end, along y not at all."""

    @staticmethod
    def _kernel(a: np.ndarray) -> np.ndarray:
        total = finite(a).astype("f8").sum(axis=-1, keepdims=True)
        return np.repeat(total, a.shape[-1], -1).astype("f4")

    plan = planned(lambda a: RowSum._kernel(a), Footprint(x=ALL))


class ColumnRank(Map):
    """The rank of a pixel within its column."""

    plan = planned(
        lambda a: np.argsort(np.argsort(finite(a), axis=-2, kind="stable"), axis=-2).astype("f4"),
        Footprint(y=ALL),
    )


class Pooled(Map):
    """Blocks of four rows, honestly aligned."""

    plan = planned(pooled, Footprint(y=0, x=0, align=4))


class Checkered(Map):
    """Adds the parity of the absolute row."""

    @staticmethod
    def _kernel(a: np.ndarray, *, extent: Extent) -> np.ndarray:
        return (a + (np.arange(extent.y0, extent.y1) % 2)[:, None]).astype("f4")

    plan = planned(lambda a, *, extent: Checkered._kernel(a, extent=extent), located=True)


class Corner(Reduce):
    """The sum of pixels at absolute rows and columns divisible by three, exactly."""

    located: ClassVar[bool] = True

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(("red",))

    def init(self, tile: TileSpec, previous: Any = None) -> int:
        return 0

    def update(self, state: int, *arrays: Any, extent: Extent | None = None) -> int:
        assert extent is not None
        rows = np.arange(extent.y0, extent.y1) % 3 == 0
        cols = np.arange(extent.x0, extent.x1) % 3 == 0
        return state + int(np.rint(finite(arrays[0])[..., rows, :][..., cols] * 1e6).sum())

    def merge(self, a: int, b: int) -> int:
        return a + b

    def finish(self, state: int) -> int:
        return state


HONEST = [RowSum, ColumnRank, Pooled, Checkered, Corner]


@pytest.mark.parametrize("shape", [(23, 29), (3, 5), (1, 1)])
@pytest.mark.parametrize("honest", HONEST, ids=lambda c: c.__name__)
def test_honest_operators_of_any_shape_keep_the_law(honest: Any, shape: tuple[int, int]) -> None:
    assert_law(honest(), contract_tile(shape))


def test_a_chain_along_both_axes_needs_the_whole() -> None:
    from geotoolz.core import ExecutorError, Sequential

    tile = contract_tile((12, 10))
    both = Sequential([RowSum(), ColumnRank()])
    with pytest.raises(ExecutorError, match="looks at the whole tile"):
        run(both, tile, window=(4, 4))
    assert isinstance(run(both, tile), xr.Dataset)


def test_the_offset_of_a_window_moves_alignment_and_place() -> None:
    from geotoolz.core import ExecutorError, run_detailed

    tile = contract_tile((40, 12))
    part = tile.isel(y=slice(8, 30))
    spec = TileSpec.of(part)
    moved = TileSpec(spec.variables, spec.sizes, TileSpec.of(tile).geobox, (8, 0), spec.attrs)
    for op in (Checkered(), Pooled()):
        whole = run(op, tile).red.values[8:28]
        found = run_detailed(op, part, spec=moved).tiles[""].red.values[:20]
        assert found.tobytes() == whole.tobytes()
    odd = TileSpec(spec.variables, spec.sizes, TileSpec.of(tile).geobox, (6, 0), spec.attrs)
    with pytest.raises(ExecutorError, match="multiples of 4"):
        run_detailed(Pooled(), part, spec=odd)


class Unmoved(Map):
    """Halves the grid as if every tile began at its lattice's first pixel."""

    def plan(self, tile: TileSpec) -> Plan:
        shape = (tile.shape[0] // 2, tile.shape[1] // 2)
        change = Double(tile.require_geobox("Unmoved").zoom_out(2), shape, (0, 0), tile.shape, (2.0, 2.0))
        drops = tuple(name for name in tile.variables if name != "red")
        writes = {"red": tile.variables["red"]}
        return Plan(writes=writes, calls=(Call(("red",), ("red",), max_of_pairs),), drops=drops, grid=change)


class Double(GridChange):
    def backward(self, extent: Extent) -> Extent:
        return Extent(*(2 * v for v in extent))


def max_of_pairs(a: np.ndarray, *, extent: Extent, source: Extent) -> np.ndarray:
    """The largest of the pixels that lie in pairs on the parent's lattice."""
    out = np.full((*a.shape[:-2], *extent.shape), -np.inf, a.dtype)
    for i in range(a.shape[-2]):
        for j in range(a.shape[-1]):
            y, x = (source.y0 + i) // 2 - extent.y0, (source.x0 + j) // 2 - extent.x0
            if 0 <= y < extent.shape[0] and 0 <= x < extent.shape[1]:
                out[..., y, x] = np.fmax(out[..., y, x], a[..., i, j])
    return out


def test_the_contract_moves_the_tile_off_the_origin() -> None:
    from geotoolz.core import Sequential
    from geotoolz.core.testing._trim import _Trim

    tile = contract_tile((24, 29))
    assert_law(Unmoved(), tile)
    with pytest.raises(LawBrokenError):
        assert_law(Sequential([_Trim(), Unmoved()]), tile, adversarial=False)


def test_chunks_that_do_not_fit_a_footprint_are_refused() -> None:
    from geotoolz.core import ExecutorError

    tile = contract_tile((12, 10))
    with pytest.raises(ExecutorError, match=r"tile.chunk\(x=-1\)"):
        RowSum()(tile.chunk(y=4, x=5))
    lazy = RowSum()(tile.chunk(y=4))
    assert lazy.red.chunks == ((4, 4, 4), (10,))
    assert np.array_equal(lazy.red.compute().values, RowSum()(tile).red.values)
