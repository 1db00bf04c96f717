"""Run checks without stopping at the first that fails."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from geotoolz.core import (
    Assertion,
    Extent,
    GeotoolzError,
    Operator,
    ParameterError,
    Program,
    QCError,
    QCWarning,
    Sequential,
    TileSpec,
    compile,
    freeze,
)
from geotoolz.core._freeze_data import Opened, Opener, openers
from geotoolz.core._reduce import not_frozen
from geotoolz.core._run import compute
from geotoolz.qc._base import TileAssertion
from geotoolz.qc._report import QCEntry, QCReport, Result
from geotoolz.radiometry import SelectBands


def run_checks(checks: Iterable[Operator], data: Any, *, threads: int = 1) -> QCReport:
    """Run checks on a tile, a scene or a catalog, all of them whatever each finds.

    The pixels are visited once for all checks; of a scene in files window by window, only the bands
    that a check looks at. A check that cannot be made (a variable is missing) and a tile that cannot
    be read get entries of their own.

    Parameters
    ----------
    checks : iterable of Assertion
        The checks.
    data : xarray.Dataset, SceneReader, GeoCatalog, or iterable of these
        What `geotoolz.freeze` takes: tiles, scenes opened with `geotoolz.io.open_scene`, a catalog.
    threads : int
        Number of threads per tile.

    Returns
    -------
    QCReport

    Raises
    ------
    ParameterError
        If there is no check or no tile.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertSchema, AssertValueRange, run_checks
    >>> tile = simulate_scene((16, 16), bands=("red", "nir"))
    >>> report = run_checks([AssertSchema(["rad"]), AssertValueRange(0, 1, bands=["rad"])], tile)
    >>> [entry.result for entry in report]
    ['failed', 'error']
    """
    made = []
    for check in checks:
        if not isinstance(check, Assertion):
            raise ParameterError(f"{type(check).__name__} is no check", expected="assertions")
        made.append(check)
    if not made:
        raise ParameterError("there is no check", expected="one at least")
    return QCReport.merged(_checked(made, opener, threads) for opener in _opened(data))


def collect_report(op: Operator, data: Any, *, threads: int = 1) -> QCReport:
    """Run a pipeline for its checks only and go on after failures.

    Every check sees the tile as it is at its place in the pipeline. Only what leads to a check is
    computed; a sink writes nothing. Steps that have not been frozen are frozen on the tile.

    Parameters
    ----------
    op : Operator
        A pipeline with assertions.
    data : xarray.Dataset, SceneReader, GeoCatalog, or iterable of these
        As for `run_checks`.
    threads : int
        Number of threads per tile.

    Returns
    -------
    QCReport
        With the paths of the steps. A tile on which the pipeline cannot run has an entry
        ``"error"``.

    Raises
    ------
    ParameterError
        If the pipeline holds no assertion, or there is no tile.

    Examples
    --------
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertValueRange, QCReport
    >>> from geotoolz.radiometry import MinMax
    >>> pipeline = Sequential([AssertValueRange(5, 6), MinMax(), AssertValueRange(0, 1)])
    >>> for entry in QCReport.collect(pipeline, simulate_scene((16, 16), bands=("red",))):
    ...     print(entry.path, entry.result)
    operators[0] failed
    operators[2] passed
    """
    if not any(isinstance(step, Assertion) for _, step in op.walk()):
        raise ParameterError(f"{type(op).__name__} holds no assertion", expected="steps such as AssertSchema")
    return QCReport.merged(_collected(op, opener, threads) for opener in _opened(data))


def _opened(data: Any) -> list[Opener]:
    try:
        return openers(data)
    except ParameterError as error:
        if "no tile to freeze on" in error.found:
            raise ParameterError("there is no tile to check", expected="one tile at least") from error
        raise


def _checked(checks: list[Assertion], opener: Opener, threads: int) -> QCReport:
    """Return the report of independent checks: one that cannot be made does not keep others from it."""
    try:
        tile = opener()
    except GeotoolzError as error:
        return _unread(error, [(f"checks[{i}]", check) for i, check in enumerate(checks)])
    label = _label(tile)
    entries: dict[int, QCEntry] = {}
    ready = []
    for i, check in enumerate(checks):
        try:
            compile(_patient(check), tile.spec, ())
            ready.append(i)
        except GeotoolzError as error:
            entries[i] = _cannot(label, f"checks[{i}]", check, error)
    if ready:
        found = _collected(Sequential([checks[i] for i in ready]), lambda: tile, threads)
        for i, entry in zip(ready, found.entries, strict=False):
            entries[i] = replace(entry, path=f"checks[{i}]")
        for i in ready[len(found.entries) :]:  # the pixels could not be read to their end
            entries[i] = replace(found.entries[-1], path=f"checks[{i}]", check=_name(checks[i]))
    return QCReport(tuple(entries[i] for i in sorted(entries)))


def _collected(op: Operator, opener: Opener, threads: int) -> QCReport:
    steps = [(path, step) for path, step in op.walk() if isinstance(step, Assertion)]
    try:
        tile = opener()
    except GeotoolzError as error:
        return _unread(error, steps)
    label = _label(tile)
    try:
        program, statistics = _statistics(_patient(op), tile, threads)
    except GeotoolzError as error:
        path = getattr(error, "path", None) or ""
        step = next((one for where, one in op.walk() if where == path), op)
        return QCReport((_cannot(label, path, step, error),))
    policy = {path: _policy(step) for path, step in steps}
    return QCReport(tuple(_judged(program, statistics, policy, label)))


def _statistics(op: Operator, tile: Opened, threads: int) -> tuple[Program, Mapping[str, Any]]:
    program = compile(op, tile.spec, ())
    for step in program.unfrozen:
        if getattr(step.op, "scope", "tile") != "tile":
            raise not_frozen(step.path, step.op, "its scope is not 'tile'")
    if program.unfrozen:
        program = compile(freeze(op, _Again(tile), threads=threads), tile.spec, ())
    return program, compute(program, tile.fetching(program), window=tile.window, threads=threads)[1]


class _Again:
    """A tile that is open already, in the form in which `freeze` takes one: spec and arrays."""

    def __init__(self, tile: Opened) -> None:
        if not isinstance(tile.spec, TileSpec):
            raise ParameterError("a graph with several inputs has unfrozen steps", fix="freeze them first")
        self.tile, self.spec = tile, tile.spec
        program = compile(SelectBands(tuple(tile.spec.variables)), tile.spec)
        self.fetch = tile.fetching(program)
        self.slots = {name: slot for slot, (_, name) in program.input_slots.items()}

    def arrays(self, names: Iterable[str], rows: slice, cols: slice) -> dict[str, Any]:
        """Return windows of variables."""
        extent = Extent(rows.start, rows.stop, cols.start, cols.stop)
        return {name: self.fetch(self.slots[name], extent) for name in names}


def _patient(op: Operator) -> Operator:
    """Return the pipeline with checks that stop nothing."""
    if isinstance(op, TileAssertion):
        return op.replace(on_fail="warn")
    return op.map_children(lambda _, child: _patient(child))


def _judged(
    program: Program, statistics: Mapping[str, Any], policy: Mapping[str, str], label: str
) -> Iterable[QCEntry]:
    for reduction in program.reductions:
        check, path = reduction.op, reduction.path
        if not isinstance(check, Assertion):
            continue
        name, on_fail = _name(check), policy.get(path, "raise")
        if isinstance(check, TileAssertion):
            verdict = check.judge(statistics[path], reduction.spec)
            result: Result = "passed" if verdict.passed else "failed"
            yield QCEntry(label, path, name, result, verdict.found, verdict.expected, on_fail)
        else:
            good = QCEntry(label, path, name, "passed", "", "", on_fail)
            yield _asked(check, statistics[path], reduction.spec, good)


def _asked(check: Assertion, result: Any, spec: TileSpec, good: QCEntry) -> QCEntry:
    """Return the entry of a check that only decides: what it raises or warns is its verdict."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", QCWarning)
        try:
            check.decide(result, spec)
        except QCError as error:
            return replace(good, result="failed", found=error.found, expected=error.expected)
    texts = [str(one.message) for one in said if issubclass(one.category, QCWarning)]
    return replace(good, result="failed", found="; ".join(texts)) if texts else good


def _name(step: Operator) -> str:
    return type(step).__name__


def _policy(step: Operator) -> str:
    return str(step.parameters().get("on_fail", "raise"))


def _label(tile: Opened) -> str:
    spec = tile.spec if isinstance(tile.spec, TileSpec) else next(iter(tile.spec.values()))
    return str(spec.attrs.get("tile_id") or "")


def _cannot(label: str, path: str, step: Operator, error: GeotoolzError) -> QCEntry:
    found = error.found.removeprefix(f"{path} ({_name(step)}): ")
    text = f"{found}; {error.fix}" if error.fix else found
    return QCEntry(label, path, _name(step), "error", text, error.expected, _policy(step))


def _unread(error: GeotoolzError, steps: Iterable[tuple[str, Operator]]) -> QCReport:
    """Return an entry for a tile that could not be opened; it is told once, not once per check."""
    path, step = next(iter(steps))
    return QCReport((QCEntry("", path, _name(step), "error", str(error)),))
