"""Parameters: strict, frozen, comparable, printable, picklable."""

from __future__ import annotations

import dataclasses
import multiprocessing
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from geotoolz.core import Branch, ConfigError, Map, Operator, ParameterError, Sequential, Switch, Tap
from geotoolz.core._config import from_config, to_config
from geotoolz.core._frozen import FrozenMapping, frozen, thawed
from geotoolz.radiometry import BoxMean, DNToReflectance, MinMax, PercentileClip, SelectBands, ToFloat32


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (BoxMean, {"radius": "3"}),
        (BoxMean, {"radius": True}),
        (BoxMean, {"radius": 3.5}),
        (BoxMean, {"radius": 3.0}),
        (BoxMean, {"radius": None}),
        (BoxMean, {"radius": -1}),
        (PercentileClip, {"p_min": "2"}),
        (PercentileClip, {"p_min": True}),
        (PercentileClip, {"p_min": float("nan")}),
        (PercentileClip, {"p_min": 98.0, "p_max": 2.0}),
        (PercentileClip, {"p_max": 100.1}),
        (PercentileClip, {"scope": "scene"}),
        (MinMax, {"limits": {"red": (1.0, 0.0)}}),
        (MinMax, {"limits": {"red": (1.0,)}}),
        (MinMax, {"clip": 1}),
        (ToFloat32, {"bands": "red"}),
        (ToFloat32, {"bands": (1,)}),
        (SelectBands, {"names": ()}),
        (SelectBands, {"names": None}),
        (DNToReflectance, {"scale": 1e-4}),
        (DNToReflectance, {"scale": 0.0, "offset": 0.0}),
        (Sequential, {"operators": BoxMean()}),
        (Sequential, {"operators": [1]}),
        (Sequential, {"operators": 5}),
        (Sequential, {"operators": None}),
        (Branch, {"branches": {}}),
        (Branch, {"branches": [BoxMean()]}),
        (Switch, {"key": "platform", "cases": {}}),
    ],
    ids=lambda v: getattr(v, "__name__", None) or repr(v)[:40],
)
def test_wrong_values_are_refused_by_name(cls: type[Operator], values: dict[str, Any]) -> None:
    with pytest.raises(ParameterError) as info:
        cls(**values)
    first = next(iter(values))
    assert cls.__name__ in str(info.value) or first in str(info.value) or "scale" in str(info.value)


def test_unknown_and_missing_parameters() -> None:
    with pytest.raises(TypeError, match="raduis"):
        BoxMean(raduis=3)  # type: ignore[call-arg]
    with pytest.raises(ParameterError, match=r"no parameter 'raduis' \(did you mean 'radius'\?\)"):
        from_config({"_target_": "geotoolz.radiometry.BoxMean", "raduis": 3})
    with pytest.raises(ParameterError, match="lacks its parameter 'names'"):
        from_config({"_target_": "geotoolz.radiometry.SelectBands"})


def test_numbers_of_numpy_are_numbers() -> None:
    clip = PercentileClip(np.float64(1.0), np.float32(99))
    assert clip == PercentileClip(1.0, 99.0)
    assert hash(clip) == hash(PercentileClip(1.0, 99.0))
    assert type(clip.p_max) is float
    assert BoxMean(np.int64(2)) == BoxMean(2)  # type: ignore[arg-type]


def test_an_int_where_a_float_is_meant_becomes_one() -> None:
    clip = PercentileClip(2, 98)
    assert type(clip.p_min) is float
    assert clip == PercentileClip(2.0, 98.0)
    assert clip.config_hash() == PercentileClip(2.0, 98.0).config_hash()


def test_lists_become_tuples_and_dicts_cannot_be_changed() -> None:
    bands = ["red"]
    limits = {"red": [0, 1]}
    op = MinMax(bands=bands, limits=limits)  # type: ignore[arg-type]
    bands.append("nir")
    limits["red"][0] = -5
    assert op.bands == ("red",)
    assert op.limits == {"red": (0.0, 1.0)}
    with pytest.raises(TypeError):
        op.limits["red"] = (0, 2)  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        op.clip = True  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del op.clip


def test_equality_is_by_class_and_parameters() -> None:
    assert BoxMean(2) == BoxMean(radius=2)
    assert BoxMean(2) != BoxMean(3)
    assert ToFloat32() != SelectBands(("red",))
    assert BoxMean() != "BoxMean"
    assert len({BoxMean(2), BoxMean(2), BoxMean(3)}) == 2


def test_equal_operators_have_equal_hashes_whatever_the_order_of_keys() -> None:
    a = Branch({"one": BoxMean(1), "two": BoxMean(2)})
    b = Branch({"two": BoxMean(2), "one": BoxMean(1)})
    assert a == b
    assert hash(a) == hash(b)
    assert a.config_hash() == b.config_hash()


def test_nan_parameters_equal_themselves() -> None:
    frozen_on_nothing = MinMax(limits={"red": (float("nan"), float("nan"))})
    again = MinMax(limits={"red": (float("nan"), float("nan"))})
    assert frozen_on_nothing == again == pickle.loads(pickle.dumps(again))
    assert hash(frozen_on_nothing) == hash(again)
    assert frozen_on_nothing.config_hash() == again.config_hash()


def test_repr_shows_what_differs_from_the_defaults() -> None:
    assert repr(BoxMean()) == "BoxMean()"
    assert repr(BoxMean(radius=2)) == "BoxMean(radius=2)"
    pipeline = Sequential([BoxMean(2), MinMax(bands=("red",))])
    assert repr(pipeline) == "Sequential(operators=[BoxMean(radius=2), MinMax(bands=('red',))])"
    assert eval(repr(pipeline)) == pipeline


def test_replace_validates() -> None:
    assert BoxMean(2).replace(radius=5) == BoxMean(5)
    with pytest.raises(ParameterError):
        BoxMean(2).replace(radius="5")


def test_pickle_in_a_spawned_process() -> None:
    op = Sequential(
        [SelectBands(["red"]), Switch("platform", {"a": PercentileClip(limits={"red": (0, 1)})}, BoxMean(4))]
    )
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(Operator.config_hash, (op,)).get(timeout=120) == op.config_hash()
        assert pool.apply_async(repr, (op,)).get(timeout=120) == repr(op)


def test_walk_gives_paths_and_map_children_replaces() -> None:
    op = Sequential(
        [BoxMean(1), Branch({"a": Sequential([BoxMean(2)])}), Switch("k", {"x": BoxMean(3)}, BoxMean(4))]
    )
    paths = [path for path, _ in op.walk()]
    assert paths == [
        "",
        "operators[0]",
        "operators[1]",
        "operators[1].branches[a]",
        "operators[1].branches[a].operators[0]",
        "operators[2]",
        "operators[2].cases[x]",
        "operators[2].default",
    ]
    changed = op.map_children(lambda path, child: BoxMean(9))
    assert changed == Sequential([BoxMean(9)] * 3)
    assert op[0] == BoxMean(1)


def test_classes_inside_functions_work_but_cannot_be_saved() -> None:
    class Local(Map):
        k: int = 1

    assert Local(2) == Local(2)
    assert hash(Local(2)) == hash(Local(2))
    with pytest.raises(ConfigError, match=r"\(Local\) .*inside a function"):
        to_config(Sequential([Local()]))


def test_parameters_may_have_any_name() -> None:
    class Odd(Map):
        copy: int = 1
        schema: str = "s"
        model_config: Mapping[str, int] | None = None
        json: tuple[int, ...] = ()

    odd = Odd(2, "x", {"a": 1}, [3])  # type: ignore[arg-type]
    assert (odd.copy, odd.schema, odd.model_config, odd.json) == (2, "x", {"a": 1}, (3,))
    with pytest.raises(ParameterError, match="copy='3'"):
        Odd("3")  # type: ignore[arg-type]


def test_operators_that_hold_functions_compare_by_them() -> None:
    assert Tap(print) == Tap(print)
    assert Tap(print) != Tap(repr)


def test_frozen_mapping() -> None:
    a, b = FrozenMapping({"x": 1, "y": 2}), FrozenMapping({"y": 2, "x": 1})
    assert a == b == {"x": 1, "y": 2}
    assert hash(a) == hash(b)
    assert list(a) == ["x", "y"]
    assert pickle.loads(pickle.dumps(a)) == a
    deep = frozen({"a": [1, {"b": [2]}]})
    assert isinstance(hash(deep), int)
    assert thawed(deep) == {"a": (1, {"b": (2,)})}


def test_a_class_without_its_parts_says_so(make: Any) -> None:
    class Empty(Map):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no plan"):
        Empty()(make())


def test_a_class_in_place_of_a_step_is_told_as_that() -> None:
    with pytest.raises(ParameterError, match=r"operators\[1\] is the class BoxMean.*write BoxMean\(…\)"):
        Sequential([BoxMean(1), BoxMean])  # type: ignore[list-item]
