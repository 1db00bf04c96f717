"""What every operator must keep, whatever it computes: one entry per operator gives all of it."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from geotoolz.core._compile import compile
from geotoolz.core._config import from_config, to_config, unconfigurable
from geotoolz.core._errors import GeotoolzError, OutsideError
from geotoolz.core._graph import Join
from geotoolz.core._grid import geobox_of
from geotoolz.core._load import dump, load
from geotoolz.core._map import Map
from geotoolz.core._operator import Operator
from geotoolz.core._reduce import Assertion, Reduce
from geotoolz.core._registry import find
from geotoolz.core._sequential import Sequential
from geotoolz.core._sink import Sink
from geotoolz.core._specs import TileSpec
from geotoolz.core.testing._contract_help import (
    accept_or_refuse,
    as_numbers,
    changes_grid,
    counting,
    flat,
    frozen_on,
    is_operator,
    masked,
    read_only,
    run_any,
    without_data,
)
from geotoolz.core.testing._docstrings import docstring_problems
from geotoolz.core.testing._law import assert_law, assert_same
from geotoolz.core.testing._spawn import outcome, results_in_spawned_process
from geotoolz.core.testing._tiles import contract_tile
from geotoolz.core.testing._trim import _Trim, depends_on_place

MakeTile = Callable[..., xr.Dataset]


@dataclass(frozen=True)
class Case:
    """An operator under contract; made by `case`."""

    make: Callable[[Path], Operator]
    tile: MakeTile
    label: str
    cls: type[Operator]
    skip: Mapping[str, str]


def case(
    op: Operator | Callable[[Path], Operator],
    tile: MakeTile = contract_tile,
    *,
    cls: type[Operator] | None = None,
    skip: Mapping[str, str] | None = None,
) -> Case:
    """Put an operator under contract.

    Parameters
    ----------
    op : Operator or callable
        The operator, or a function that makes it in a temporary folder.
    tile : callable
        ``tile(shape, seed=…, times=…)`` makes a tile that the operator accepts.
    cls : type of Operator, optional
        Needed if `op` is a function.
    skip : mapping of str to str, optional
        Checks that do not apply, with the reason.

    Returns
    -------
    Case
    """
    if isinstance(op, Operator):
        return Case(lambda folder: op, tile, repr(op)[:60], type(op), dict(skip or {}))
    if cls is None:
        raise TypeError("case(function) needs cls=")
    return Case(op, tile, cls.__name__, cls, dict(skip or {}))


class ContractSuite:
    """The contract as a test class; a package inherits it and lists its operators.

    Attributes
    ----------
    module : str
        Public module; every operator in its ``__all__`` needs a case or a reason.
    cases : sequence of Case
        At least one per operator.
    exempt : mapping of str to str
        Names of operators without a case, with the reason and where they are tested.

    Examples
    --------
    ::

        class TestContract(ContractSuite):
            module = "geotoolz.indices"
            cases = [case(NDVI()), case(NDWI())]
    """

    module: ClassVar[str] = ""
    cases: ClassVar[Sequence[Case]] = ()
    exempt: ClassVar[Mapping[str, str]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Run every check for every case."""
        if "entry" in metafunc.fixturenames:
            metafunc.parametrize("entry", self.cases, ids=[c.label for c in self.cases])

    @pytest.fixture
    def ready(self, entry: Case, tmp_path: Path, request: Any) -> tuple[Operator, xr.Dataset]:
        """Return operator and tile; skip a check that the case says does not apply."""
        reason = entry.skip.get(request.node.originalname.removeprefix("test_"))
        if reason:
            pytest.skip(reason)
        return entry.make(tmp_path), entry.tile()

    def test_every_operator_is_under_contract(self) -> None:
        """An operator in ``__all__`` without a case fails."""
        module = importlib.import_module(self.module)
        public = {n for n in module.__all__ if is_operator(getattr(module, n))}
        covered = {entry.cls.__name__ for entry in self.cases} | set(self.exempt)
        assert public - covered == set(), f"without a contract entry: {sorted(public - covered)}"
        assert set(self.exempt) <= public, "exempt names that do not exist"

    # --- identity ---------------------------------------------------------------------------------
    def test_config_round_trip(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """Configuration, YAML and hash survive saving and loading."""
        op, _ = ready
        again = from_config(to_config(op))
        assert again == op
        assert again.config_hash() == op.config_hash()
        loaded = load(dump(op))
        assert loaded == op
        assert loaded.config_hash() == op.config_hash()
        assert hash(loaded) == hash(op)

    def test_public_target(self, entry: Case) -> None:
        """``_target_`` is public, found by the registry, and importable as written."""
        path = entry.cls.target()
        assert "._" not in path
        assert find(path) is entry.cls
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name) is entry.cls

    def test_docstring(self, entry: Case) -> None:
        """Summary, parameters and an example are there, and every parameter is described."""
        problems = docstring_problems(entry.cls)
        assert not problems, f"the docstring of {entry.label}: " + "; ".join(problems)

    def test_spawned_process(self, tmp_path: Path) -> None:
        """Pickled operators give the same bits in a new process."""
        work = []
        for entry in self.cases:
            op = entry.make(tmp_path)
            if (
                unconfigurable(op) is None
                and not isinstance(op, Sink | Join)
                and "spawned_process" not in entry.skip
            ):
                tile = entry.tile()
                work.append((entry.label, pickle.dumps(frozen_on(op, tile)), tile))
        here = {label: outcome(pickle.loads(data), tile) for label, data, tile in work}
        there = results_in_spawned_process(work)
        assert there == here

    # --- the tile -----------------------------------------------------------------------------------
    def test_input_unchanged(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """Read-only arrays are accepted, and the input tile is what it was."""
        op, tile = ready
        before = tile.copy(deep=True)
        run_any(op, read_only(tile))
        assert_same(before, tile, "the input")

    def test_everything_else_kept(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """CRS, transform, foreign variables and attributes pass through; a new grid is the planned one."""
        op, tile = ready
        out = run_any(op, tile)
        if not isinstance(out, xr.Dataset):
            return
        assert out.attrs["a_strange_attribute"] == "kept"
        program = compile(frozen_on(op, tile), TileSpec.of(tile))
        if changes_grid(program):
            assert geobox_of(out) == program.output.window_geobox
            assert list(out.data_vars) == list(program.output.variables)
        else:
            assert geobox_of(out) == geobox_of(tile)
        for name, slot in next(iter(program.states.values())).slots.items():
            if slot in program.sources and name in tile:
                assert_same(tile[[name]], out[[name]], "an untouched variable")

    def test_plan_equals_result(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """Names, dims, dtypes, no-data and attributes are those of the plan."""
        op, tile = ready
        out = run_any(op, tile)
        if not isinstance(out, xr.Dataset):
            return
        promised = compile(frozen_on(op, tile), TileSpec.of(tile)).output
        found = TileSpec.of(out)
        assert list(found.variables) == list(promised.variables)
        for name, spec in promised.variables.items():
            assert repr(found.variables[name]) == repr(spec), name
        assert found.coords.keys() == promised.coords.keys()
        for name, coord in promised.coords.items():
            np.testing.assert_array_equal(found.coords[name].values, coord.values, err_msg=name)

    def test_nodata_honoured(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """Where all bands have no data, what is written has none."""
        op, tile = ready
        if isinstance(op, Reduce):
            return
        frozen = frozen_on(op, tile)
        empty = without_data(tile)
        out = run_any(frozen, empty)
        program = compile(frozen, TileSpec.of(empty))
        for name in program.created:
            spec = program.output.variables[name]
            if spec.nodata is None or program.output.variables[name].quantity in ("flags", "mask"):
                continue
            values = out[name].values
            assert bool(
                np.all(values != values) if spec.nodata != spec.nodata else np.all(values == spec.nodata)
            ), name

    def test_integers_do_not_wrap(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """uint16 bands give what the same numbers as float64 give, or are refused."""
        op, tile = ready
        whole, floats = as_numbers(tile)
        try:
            a = run_any(frozen_on(op, whole), whole)
        except GeotoolzError:
            return
        b = run_any(frozen_on(op, floats), floats)
        if not isinstance(a, xr.Dataset):
            np.testing.assert_allclose(flat(a), flat(b), rtol=1e-6)
            return
        for name in compile(frozen_on(op, whole), TileSpec.of(whole)).created:
            one, two = masked(a[name]), masked(b[name])
            rounded = 0.5 if a[name].dtype.kind in "iu" else 0.0
            np.testing.assert_allclose(one, two, rtol=2e-6, atol=1e-6 + rounded, err_msg=name)

    # --- odd tiles ----------------------------------------------------------------------------------
    @pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (0, 0), (0, 5), (2, 3)])
    def test_small_tiles(self, entry: Case, tmp_path: Path, shape: tuple[int, int]) -> None:
        """One pixel, one row, one column and no pixel at all give tiles of that shape."""
        if "small_tiles" in entry.skip:
            pytest.skip(entry.skip["small_tiles"])
        op, tile = entry.make(tmp_path), entry.tile(shape)
        accept_or_refuse(op, tile, shape)

    def test_all_nodata(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """A tile without a valid pixel gives no data, or a typed error that says so."""
        op, tile = ready
        accept_or_refuse(op, without_data(tile), (tile.sizes["y"], tile.sizes["x"]))

    def test_stack_equals_dates(self, entry: Case, tmp_path: Path) -> None:
        """A stack of dates gives what each date gives alone."""
        if "stack_equals_dates" in entry.skip:
            pytest.skip(entry.skip["stack_equals_dates"])
        op = entry.make(tmp_path)
        stack = entry.tile((11, 13), times=3)
        frozen = frozen_on(op, stack)
        out = run_any(frozen, stack)
        if not isinstance(out, xr.Dataset):
            return
        for i in range(3):
            alone = run_any(frozen, stack.isel(time=i, drop=True))
            assert_same(out.isel(time=i, drop=True), alone, f"date {i}")

    # --- drivers ------------------------------------------------------------------------------------
    def test_deterministic(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """Twice the same call, twice the same bits."""
        op, tile = ready
        assert outcome(op, tile) == outcome(op, tile)

    def test_law(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """Windows and threads change no bit, on random and on adversarial tiles."""
        op, tile = ready
        if isinstance(op, Sink):
            return
        assert_law(op, tile)

    def test_law_away_from_the_origin(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """The law holds for a tile that does not begin at its lattice's first pixel.

        For kernels that are told where they are, and for those that change the grid.
        """
        op, tile = ready
        if not isinstance(op, Map) or not depends_on_place(compile(frozen_on(op, tile), TileSpec.of(tile))):
            return
        try:
            assert_law(Sequential([_Trim(), op]), tile, adversarial=False, threads=(1,))
        except OutsideError:
            pytest.skip("what is left of the tile does not touch the operator's target")

    def test_law_small_tile(self, entry: Case, tmp_path: Path) -> None:
        """The law holds for tiles smaller than windows and halos."""
        if "law" in entry.skip or "small_tiles" in entry.skip:
            pytest.skip(entry.skip.get("law", entry.skip.get("small_tiles", "")))
        op = entry.make(tmp_path)
        if not isinstance(op, Sink):
            assert_law(op, entry.tile((3, 4)), threads=(1,))

    def test_dask_lazy_and_equal(self, ready: tuple[Operator, xr.Dataset]) -> None:
        """A lazy tile stays lazy, and computes to the same bits."""
        import dask

        op, tile = ready
        if isinstance(op, Sink) or (isinstance(op, Reduce) and not isinstance(op, Assertion)):
            return
        frozen = frozen_on(op, tile)
        whole = run_any(frozen, tile)
        computed: list[int] = []
        with dask.config.set(scheduler=counting(computed)):
            lazy = run_any(frozen, tile.chunk({"y": 10, "x": 17}))
            assert computed == [], "building the lazy result computed something"
        if isinstance(whole, xr.Dataset):
            assert_same(whole, lazy.compute(scheduler="synchronous"), "lazy and eager")
