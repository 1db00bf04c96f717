"""Observers, `Tap` and functions: step by step, with the same pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import xarray as xr

from geotoolz.core import (
    Branch,
    ConfigError,
    ExecutorError,
    FromFunction,
    Graph,
    Input,
    MissingVariableError,
    Observer,
    Profile,
    Sequential,
    ShapeTrace,
    Sink,
    Snapshot,
    Switch,
    Tap,
    check,
    dump,
    from_function,
    load,
    run,
    verb,
)
from geotoolz.radiometry import BoxMean, MinMax, SelectBands, ToFloat32

Make = Callable[..., xr.Dataset]
PIPELINE = Sequential(
    [
        BoxMean(1),
        Branch({"a": MinMax(bands=("red",)), "b": Sequential([ToFloat32(("nir",))])}, prefix=True),
        Switch("platform", {"sentinel-2a": SelectBands(["red", "a_red"])}),
    ]
)
STEPS = [
    "operators[0]",
    "operators[1].branches[a]",
    "operators[1].branches[b].operators[0]",
    "operators[2].cases[sentinel-2a]",
]


def halved(ds: xr.Dataset) -> xr.Dataset:
    return ds.assign(red=ds.red / 2)


def _number(ds: xr.Dataset) -> int:
    return 5


def test_watched_gives_the_same(make: Make) -> None:
    ds = make((7, 8))
    snap, trace, profile = Snapshot(), ShapeTrace(), Profile()
    out = run(PIPELINE, ds, observers=[snap, trace, profile])
    xr.testing.assert_identical(out, PIPELINE(ds))
    assert list(snap.tiles) == ["input", *STEPS]
    assert snap["input"] is ds
    xr.testing.assert_identical(snap["operators[0]"], BoxMean(1)(ds))
    assert [r[0] for r in trace.rows if r[2] == "red"] == ["input", *STEPS]
    assert ("operators[0]", "BoxMean", "nir", "y 7 × x 8", "float32") in [r[:5] for r in trace.rows]
    assert "operators[0] BoxMean" in str(trace)
    assert list(profile.seconds) == [
        f"{s} {n}" for s, n in zip(STEPS, ["BoxMean", "MinMax", "ToFloat32", "SelectBands"], strict=True)
    ]
    assert profile.total > 0
    assert sum(profile.as_mapping().values()) == pytest.approx(1)
    assert "ms  operators[0] BoxMean" in str(profile)


def test_calls_in_order(make: Make) -> None:
    seen: list[Any] = []

    class Mine(Observer):
        def start(self, op: Any, tile: xr.Dataset) -> None:
            seen.append(("start", op))

        def step(self, path: str, op: Any, tile: xr.Dataset, seconds: float) -> None:
            seen.append((path, op))

        def finish(self, tile: xr.Dataset) -> None:
            seen.append("finish")

    op = Sequential([BoxMean(1)])
    run(op, make(), observers=[Mine(), Observer()])
    assert seen == [("start", op), ("operators[0]", BoxMean(1)), "finish"]


def test_a_graph_is_watched_at_its_outputs_and_as_a_step(make: Make) -> None:
    ds = make()
    scene = Input("scene")
    graph = Graph({"scene": scene}, outputs={"a": BoxMean(1)(scene)})
    snap = Snapshot()
    run(graph, ds, observers=[snap])
    assert list(snap.tiles) == ["input", "outputs[a]"]
    inside = Sequential([graph, ToFloat32()])
    snap = Snapshot()
    xr.testing.assert_identical(run(inside, ds, observers=[snap]), inside(ds))
    assert list(snap.tiles) == ["input", "operators[0]", "operators[1]"]


class _Keeps(Sink):
    """Remembers what it was told."""

    def write(self, tile: xr.Dataset, *, created: tuple[str, ...]) -> tuple[str, ...]:
        WRITTEN.append((list(tile.data_vars), created))
        return ("somewhere",)


WRITTEN: list[Any] = []


@pytest.mark.parametrize(
    ("first", "created"),
    [(BoxMean(1, ("red",)), ("red",)), (Branch({"a": BoxMean(1, ("nir",))}, prefix=True), ("a_nir",))],
)
def test_a_watched_sink_is_told_what_was_created(make: Make, first: Any, created: tuple[str, ...]) -> None:
    ds = make()
    op = Sequential([first, _Keeps()])
    WRITTEN.clear()
    op(ds)
    run(op, ds, observers=[Snapshot()])
    assert WRITTEN[0] == WRITTEN[1]
    assert WRITTEN[0][1] == created


def test_tap(make: Make) -> None:
    ds, seen = make(), []
    op = Sequential([BoxMean(1), Tap(lambda t: seen.append(list(t.data_vars))), SelectBands(["red"])])
    xr.testing.assert_identical(op(ds), Sequential([BoxMean(1), SelectBands(["red"])])(ds))
    assert seen == [["red", "nir"]]
    with pytest.raises(ConfigError, match=r"operators\[1\] \(Tap\)"):
        dump(op)
    assert [f.level for f in check(op, ds)] == ["error", "note"]
    for kwargs in ({"window": (2, 2)}, {"outputs": ("red",)}):
        with pytest.raises(ExecutorError, match="whole tiles"):
            run(op, ds, **kwargs)  # type: ignore[arg-type]


def test_functions(make: Make) -> None:
    ds = make()
    step = from_function(halved)
    assert isinstance(step, FromFunction)
    op = Sequential([step, BoxMean(1)])
    xr.testing.assert_identical(op(ds), BoxMean(1)(halved(ds)))
    assert load(dump(op)) == op
    assert load(dump(op)).config_hash() == op.config_hash()
    local = Sequential([from_function(lambda t: halved(t))])
    xr.testing.assert_identical(local(ds), halved(ds))
    with pytest.raises(ConfigError, match="move it into a module"):
        dump(local)
    with pytest.raises(ConfigError, match="cannot be imported"):
        FromFunction("geotoolz.core.nothing_here")(ds)
    with pytest.raises(ConfigError, match="cannot be imported"):
        FromFunction("nodots")(ds)
    with pytest.raises(ExecutorError, match=r"operators\[0\] returned int"):
        Sequential([from_function(_number)])(ds)  # type: ignore[arg-type]


@pytest.mark.parametrize("op", [Sequential([BoxMean(1), Tap(print)]), from_function(halved)], ids=repr)
def test_lazy_tiles_are_treated_whole_or_refused_and_never_computed_in_silence(make: Make, op: Any) -> None:
    with pytest.raises(ExecutorError, match="Python function"):
        op(make((8, 8)).chunk(y=4))


def test_errors_have_their_path(make: Make) -> None:
    op = Sequential([Tap(lambda t: None), Branch({"a": SelectBands(["rad"])})])
    with pytest.raises(
        MissingVariableError, match=r"^operators\[1\]\.branches\[a\] \(SelectBands\): SelectBands reads"
    ):
        op(make())


def test_functions_inside_steps_that_are_not_followed(make: Make) -> None:
    graph = Graph({"s": Input("s")}, outputs={"o": Tap(print)(Input("s"))})
    for op in (graph, Sequential([graph])):
        with pytest.raises(ExecutorError, match="cannot hold Tap"):
            run(op, make())


def test_verbs(make: Make) -> None:
    smooth = verb(BoxMean, "smooth")
    xr.testing.assert_identical(smooth(make(), 2, bands=("red",)), BoxMean(2, ("red",))(make()))
    assert smooth.__name__ == "smooth"
    assert "BoxMean" in str(smooth.__doc__)
