"""Formulas: what is accepted, what is refused, and that the numbers are NumPy's in float64."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import ParameterError
from geotoolz.core import _expression_math as functions
from geotoolz.core._expression import MAX_DEPTH, MAX_LENGTH, parse
from geotoolz.core._expression_kernel import expression_kernel, kernel_of
from geotoolz.core._expression_source import layout, source_of
from geotoolz.core._expression_zeros import hidden_zeros

NAN = np.float32(np.nan)


def evaluate(text: str, constants: dict[str, float] | None = None, **bands: Any) -> Any:
    """Return a formula's value for arrays, through the compiled kernel."""
    arrays = [np.atleast_1d(np.asarray(v)) for v in bands.values()]
    kernel, values = expression_kernel([parse(text)], tuple(bands), constants)
    nodata = [a.dtype.type(np.nan) if a.dtype.kind == "f" else np.nan for a in arrays]
    return kernel(*arrays, *nodata, *values)


def test_precedence_is_python_s() -> None:
    a, b, c = (np.array([v], "f8") for v in (2.0, 3.0, 5.0))
    for text in ("a - b - c", "a / b / c", "a - b * c ** 2", "-a ** 2", "(-a) ** 2", "a ** -2", "+a",
        "2 ** 3 * a",
                 "a ** 2 ** 0.5", "-(a - -b)", "a * (b + c) / (a - c)", "1e-3 * a", "a*b**3-c**4.0",
                 "\ta\n+ b ", "1 / 3 * a", "a ** (1 / 3)", "a ** 0", "a ** 1", "a ** 1.5",
                     "a ** 0.5"):  # fmt: skip
        want = eval(" ".join(text.split()), {}, {"a": a, "b": b, "c": c})
        got = evaluate(text, a=a, b=b, c=c) if all(n in text for n in "abc") else _some(text, a=a, b=b, c=c)
        np.testing.assert_allclose(got, want.astype("f4"), rtol=6e-8, err_msg=text)


def _some(text: str, **bands: Any) -> Any:
    return evaluate(text, **{name: bands[name] for name in parse(text).names})


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("a.b", 1, "an attribute of 'a'"),
        ("1 + a.__class__.__mro__", 5, "an attribute"),
        ("a[0]", 1, "square brackets"),
        ("a + [1][0]", 5, "square brackets"),
        ("__import__('os').system('true')", 1, "a call of '__import__('os').system'".replace("'os'", '"os"')),
        ("eval(a)", 1, "a call of 'eval'"),
        ("sqr(a)", 1, "a call of 'sqr' (did you mean 'sqrt'?)"),
        ("(lambda: a)()", None, "a call of"),
        ("a if b else c", 1, "'a if b else c'"),
        ("[a for a in b]", 1, "'[a for a in b]'"),
        ("{a}", 1, "'{a}'"),
        ("f'{a}'", 1, ""),
        ("'a'", 1, "'a', which is no number"),
        ("a + True", 5, "'True', which is no number"),
        ("a + None", 5, "'None', which is no number"),
        ("...", 1, "'Ellipsis'"),
        ("a * 1j", 5, "'1j'"),
        ("a // b", 3, "the operator '//'"),
        ("a % 2", 3, "the operator '%'"),
        ("a @ b", 3, "the operator '@'"),
        ("~a", 1, "the operator '~'"),
        ("a * ~(a > 1)", 5, "the operator '~'"),
        ("a & b", 3, "the operator '&'"),
        ("  ä + ((a) ^ (b))", 12, "the operator '^'"),
        ("a < b", 1, "a condition"),
        ("a + (a < b)", 6, "a condition"),
        ("where(a, 1, 2)", 7, "a number"),
        ("where(a < b, a < b, 2)", 14, "a condition"),
        ("where(not a, 1, 2)", 11, "a number"),
        ("where(a in b, 1, 2)", 9, "the operator 'in'"),
        ("where(a < b is  not b, 1, 2)", 13, "the operator 'is  not'"),
        ("where(a < b, 1)", 1, "where() with other arguments"),
        ("sqrt(a, b)", 1, "sqrt() with other arguments"),
        ("sqrt(x=a)", 1, "sqrt() with other arguments"),
        ("max(*a)", 1, "max() with other arguments"),
        ("sqrt", 1, "the function 'sqrt' without its arguments"),
        ("__name__ + 1", 1, "the name '__name__'"),
        ("a ** 17", 6, "the exponent 17"),
        ("a ** -17", 6, "the exponent -17"),
        ("9 ** 9 ** 9", 6, "the exponent"),
        ("a * 1e16", 5, "a number too large"),
        ("a * 1e999", 5, "a number too large"),
        ("a + 1 / 0", 5, "'1 / 0' is no finite number"),
        ("(0 - 8) ** 0.5 * a", None, "is no finite number"),
        ("(1e15 ** 16) ** 16 * a", None, "is no finite number"),
        ("ä + ö + a.b", 9, "an attribute"),
        ("  a.b", 3, "an attribute"),
        ("a b", 3, "this is no formula"),
        ("a; b", 2, "this is no formula"),
        ("a = b", None, "this is no formula"),
        ("(a := b)", 2, "'(a := b)'"),
        ("import os", 1, "this is no formula"),
        ("a +", None, "this is no formula"),
        ("a\x00", 1, ""),
        ("(" * 100 + "a" + ")" * 100, MAX_DEPTH + 1, "parentheses nested too deep"),
        ("-" * 999 + "a", None, "nested too deep"),
        ("a" + "+a" * 300, None, "nested too deep"),
        ("+".join(["(a+a+a+a+a+a+a+a+a)"] * 45), None, "too many terms"),
        ("a" * (MAX_LENGTH + 1), MAX_LENGTH + 1, "1001 characters"),
    ],
)  # fmt: skip
def test_everything_else_is_refused_by_column(text: str, column: int | None, found: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse(text)
    error = caught.value
    assert found.partition("'__import__(")[0].partition(" (did")[0] in error.found, error.found
    if column is not None:
        assert f"column {column}:" in error.found, error.found
    assert error.expected
    assert pickle.loads(pickle.dumps(error)).found == error.found


@pytest.mark.parametrize(
    ("text", "instead"),
    [("a ^ 2", r"use \*\*"), ("a & b", "use and"), ("(a > 1) | b", "use or"), ("~a", "use not")],
)
def test_operators_of_other_languages_are_told_what_to_write(text: str, instead: str) -> None:
    with pytest.raises(ParameterError, match=instead):
        parse(text)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_formula_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="is empty"):
        parse(text)


def test_exponents_of_constants_are_bound_and_capped() -> None:
    assert evaluate("a ** n", {"n": 3.0}, a=2.0)[0] == 8
    assert evaluate("a ** (n - 1) * n", {"n": 3.0}, a=2.0)[0] == 12
    for constants, text in (
        ({"n": 17.0}, "the exponent 17"),
        ({"n": math.nan}, "the exponent nan"),
        ({}, "depends on 'n'"),
    ):
        with pytest.raises(ParameterError, match=text):
            evaluate("a ** n", constants, a=2.0)
    with pytest.raises(ParameterError, match="depends on 'b'"):
        evaluate("a ** b", a=2.0, b=2.0)
    with pytest.raises(ParameterError, match="cannot be computed"):
        evaluate("a ** (1 / n)", {"n": 0.0}, a=2.0)
    with pytest.raises(ParameterError, match="has the name 'b'"):
        evaluate("a + b", a=2.0)


def test_division_by_zero_is_no_data_wherever_it_stands() -> None:
    zero, one = np.zeros(2, "f4"), np.ones(2, "f4")
    for text in (
        "a / b",
        "1 / (1 / b) + a * 0",
        "a * b ** -1",
        "a * b ** -0.5",
        "1 / (b / a)",
        "log(b) + a",
        "a / (b * 5)",
    ):
        assert np.isnan(evaluate(text, a=one, b=zero)).all(), text
    assert np.isnan(evaluate("k / c * a", {"k": 1.0, "c": 0.0}, a=one)).all()
    np.testing.assert_array_equal(evaluate("where(b != 0, a / b, -1)", a=one, b=zero), [-1, -1])
    # a condition on what has no value is not known
    assert np.isnan(evaluate("where(a / b > 2, 1, -1)", a=one, b=zero)).all()
    # what overflows, and what is infinite, is no data
    assert np.isnan(evaluate("a ** 16 * 1e15 + b", a=one * 1e8, b=zero)).all()
    assert np.isnan(evaluate("a + b", a=one * np.inf, b=zero)).all()


def test_no_data_of_every_band_is_no_data() -> None:
    a, b = np.array([1, 0, 3], "u2"), np.array([4, 5, 6], "u2")
    kernel, values = expression_kernel([parse("a + b"), parse("b * 2")], ("a", "b"))
    one, two = kernel(a, b, np.uint16(0), np.uint16(6), *values)
    np.testing.assert_array_equal(one, np.array([5, np.nan, np.nan], "f4"))
    np.testing.assert_array_equal(two, np.array([8, 10, np.nan], "f4"))
    x = np.array([np.nan, 1.0], "f4")
    for text in ("x + 1", "x ** 0", "0 * x", "max(x, 3)", "min(3, x)", "where(x > 0, 1, 2)",
                 "where(2 > 1, 1, x)",
                 "where(not x > 0, 1, 2)", "abs(x)", "sqrt(x)", "exp(x)", "log(x)", "x ** 0.3",
                     "x ** (1/3)"):  # fmt: skip
        assert np.isnan(evaluate(text, x=x)).tolist() == [True, False], text


def test_integers_never_wrap() -> None:
    for dtype in ("u1", "i1", "u2", "i2", "u4", "i4"):
        top = np.array([np.iinfo(dtype).max], dtype)
        assert evaluate("0 - a - a * 2 + b", a=top, b=np.zeros(1, dtype))[0] == np.float32(-3.0 * int(top[0]))
    assert evaluate("a + a", a=np.array([True]))[0] == 2


def test_functions_and_conditions() -> None:
    a, b = np.array([-2.0, 0.0, 1.0, 4.0], "f4"), np.array([1.0, 1.0, 1.0, 1.0], "f4")
    for text, want in {
        "abs(a) * b": [2, 0, 1, 4],
        "max(a, b, 2)": [2, 2, 2, 4],
        "min(a, b)": [-2, 0, 1, 1],
        "sqrt(abs(a)) * b": np.sqrt([2.0, 0, 1, 4]),
        "exp(a) * b": np.exp([-2.0, 0, 1, 4]),
        "log10(exp(a)) * b": np.log10(np.exp([-2.0, 0, 1, 4])),
        "exp(-2 * a ** 2) * b": np.exp([-8.0, 0, -2, -32]),
        "exp(2 * a ** 2) * b": np.exp([8.0, 0, 2, 32]),
        "exp(-2 * a ** 3) * b": np.exp([16.0, 0, -2, -128]),
        "abs(a) ** 0.4 + abs(a) ** 2.5 * b": np.abs(a) ** 0.4 + np.abs(a) ** 2.5,
        "where(a > b or a == 0, 1, 0)": [0, 1, 0, 1],
        "where(not (a >= b and a != 4), 1, 0)": [1, 1, 0, 1],
        "where(0 <= a <= b < 2, a, -1)": [-1, 0, 1, -1],
    }.items():
        np.testing.assert_allclose(evaluate(text, a=a, b=b) if "b" in parse(text).names else evaluate(text,
            a=a),
                                   np.array(want, "f4"), rtol=1e-6, err_msg=text)  # fmt: skip


def test_kernel_names_are_our_own_and_code_is_shared() -> None:
    first, values = expression_kernel([parse("(nir - red) / (nir + red + L)")], ("nir", "red"), {"L": 0.5})
    second, other = expression_kernel([parse("(a - b) / (a + b + k)")], ("a", "b"), {"k": 1.0})
    assert first is second and (values, other) == ((0.5,), (1.0,))
    for name in ("nir", "red", "L", "_evil", "print"):
        assert name not in first.source
    assert pickle.loads(pickle.dumps(first)) is first
    assert kernel_of(first.source, 1, 2) is first


def test_shared_parts_are_computed_once() -> None:
    one, _ = expression_kernel([parse("(a - b) / (a + b)")], ("a", "b"))
    both, _ = expression_kernel([parse("(a - b) / (a + b)"), parse("a * ((a - b) / (a + b))")], ("a", "b"))
    assert both.source.count("/") == one.source.count("/") == 1


def test_shapes_and_strides() -> None:
    kernel, _ = expression_kernel([parse("a - b"), parse("a * b")], ("a", "b"))
    a = np.arange(24.0, dtype="f4").reshape(2, 3, 4)
    for view in (a, a[:, ::-1], a[..., ::2], a[:0], a[:, :1, :1], np.asfortranarray(a)):
        view.flags.writeable = False
        less, more = kernel(view, np.float32(2) * view, NAN, NAN)
        np.testing.assert_array_equal(less, -view)
        np.testing.assert_array_equal(more, 2 * view * view)
    single, _ = expression_kernel([parse("a - b")], ("a", "b"))
    out = np.zeros((2, 3), "f4")
    assert single.into((out,), np.ones((2, 3), "u1"), np.ones((2, 3), "f4"), np.nan, NAN) and not out.any()


_LEAVES = st.sampled_from(["a", "b", "2", "0.5", "k"])
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["2", "3", "0.5", "-1"])).map(lambda t: f"({t[0]}) ** {t[1]}"),
        inner.map(lambda t: f"-({t})"),
        st.tuples(st.sampled_from(["abs", "sqrt", "exp"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"where({t[0]} > {t[1]}, {t[2]}, {t[0]})"),
    ),
    max_leaves=6,
)


@settings(max_examples=8, deadline=None)
@given(_TREES, st.lists(st.floats(0.015625, 2, width=32), min_size=3, max_size=3))
def test_against_numpy_in_float64(tree: str, values: list[float]) -> None:
    text = f"{tree} + 0 * a + 0 * b"
    a, b = np.array(values, "f4"), np.array(values[::-1], "f4")
    space = {"a": a.astype("f8"), "b": b.astype("f8"), "k": np.float64(0.7), "abs": np.abs,
        "sqrt": np.sqrt, "exp": np.exp,
             "where": np.where}  # fmt: skip
    try:
        parse(text)
    except ParameterError:  # powers and quotients of numbers alone may have no value
        return
    with np.errstate(all="ignore"):
        want = np.broadcast_to(np.asarray(eval(text, {"__builtins__": {}}, space), "f8"), a.shape)
        small = np.abs(want) < 1e30
    got = evaluate(text, {"k": 0.7}, a=a, b=b) if "k" in tree else evaluate(text, a=a, b=b)
    # ours says no data where NumPy goes on with infinity
    known = ~np.isnan(got)
    np.testing.assert_allclose(got[known & small], want[known & small], rtol=2e-6, atol=1e-9)
    assert np.isfinite(want[known]).all()


def test_exp_log_and_roots_are_right_to_the_last_digits() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-700, 700, 300), rng.normal(0, 1, 300), [0.0, -0.0, 709.0, -708.0]])
    np.testing.assert_allclose([functions.exp(v) for v in x], np.exp(x), rtol=2e-12)
    assert [functions.exp(v) for v in (710.0, np.inf, -np.inf)] == [np.inf, np.inf, 0.0]
    y = np.concatenate([np.exp(rng.uniform(-600, 600, 300)), rng.uniform(0.5, 2, 300)])
    np.testing.assert_allclose([functions.log(v) for v in y], np.log(y), rtol=2e-13, atol=1e-15)
    np.testing.assert_allclose([functions.cbrt(v) for v in y], np.cbrt(y), rtol=2e-15)
    np.testing.assert_allclose([functions.power(v, 1.16) for v in y[300:]], y[300:] ** 1.16, rtol=2e-12)
    np.testing.assert_allclose([functions.root(v, 0.9) for v in y], y**0.9, rtol=2e-12)
    squares = np.concatenate([rng.uniform(0, 400, 300), rng.uniform(0, 1, 300), [0.0]])
    halved = [functions.decay(v, -2.5) for v in squares]
    np.testing.assert_allclose(halved, 2.0 ** (-2.5 * squares), rtol=2e-12)
    assert [functions.decay(v, -2.5) for v in (0.0, 1e3, 1e300, np.inf)] == [1.0, 0.0, 0.0, 0.0]
    for fn in (functions.exp, functions.log, functions.cbrt):
        assert np.isnan(fn(np.nan))
    assert np.isnan(functions.decay(np.nan, -2.5))
    for fn in (functions.log, functions.cbrt):
        assert np.isnan(fn(-1.0)) and np.isnan(fn(np.inf))
    for power in (functions.power, functions.root):
        assert power(0.0, 0.3) == 0.0 == functions.cbrt(0.0)
        assert np.isnan([power(v, 0.3) for v in (-1.0, np.nan, np.inf, -np.inf)]).all()
    assert np.isnan(functions.log(0.0))


@pytest.mark.parametrize("jit", ["0", "1"])
def test_the_same_without_a_compiler_and_in_another_process(jit: str) -> None:
    code = (
        "import numpy as np, sys\n"
        "from geotoolz.core._expression import parse\n"
        "from geotoolz.core._expression_kernel import expression_kernel\n"
        "a = np.linspace(-1, 3, 41, dtype='f4')\n"
        "texts = ['a ** (1/3) + exp(a) * log(a) / a', 'a ** 7 - sqrt(a)',\n"
        "         'where(a > 1 and not a > 2, a ** 1.16, k / a)']\n"
        "kernel, values = expression_kernel([parse(t) for t in texts], ('a',), {'k': 2})\n"
        "out = kernel(a, np.float32(np.nan), *values)\n"
        "sys.stdout.write(b''.join(o.tobytes() for o in out).hex())\n"
    )
    import os

    runs = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120,
                check=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": flag},
        ).stdout
        for flag in {jit, "0"}
    ]  # fmt: skip
    assert len(set(runs)) == 1 and len(runs[0]) == 3 * 41 * 8


@pytest.mark.parametrize(
    ("text", "looked_at"),
    [
        ("a / b", ""),
        ("k * (a - b) / (a + b) - 1", ""),
        ("(a / b) ** 2 + sqrt(a / b)", ""),
        ("a / (b / k)", "k"),
        ("a / (k + 1 / b)", "b"),
        ("a / (k + b ** -2)", "b ** 2"),
        ("a ** -1 * b", ""),
        ("exp(-2 * ((a - b) / (a + b)) ** 2)", "a + b"),
        ("max(a / b, 0) + k / a", "b"),
        ("a / (1 + exp(a / k) + b / k)", "k"),
    ],
)
def test_zeros_that_would_be_hidden_are_looked_at(text: str, looked_at: str) -> None:
    found = list(dict.fromkeys(hidden_zeros(parse(text).tree)))
    assert found == ([parse(looked_at).tree] if looked_at else [])


def test_a_division_by_zero_is_no_data_wherever_it_stands() -> None:
    a, b, k = (np.array([v], "f4") for v in (1.0, 0.0, 2.0))
    texts = ["a / b", "k - a / b", "k * a / b", "(k / b) / b", "sqrt(a / b)", "log(a / b)", "(a / b) ** 0.4",
             "(a / b) ** (1/3)", "(a / b) ** 0", "(a / b) ** 3", "abs(-a / b)", "a / (k / b)", "b ** -2",
             "k / (a + k / b)", "k / (a + b ** -1)", "exp(-a / b)", "exp(-2 * (a / b) ** 2)", "min(k, a / b)",
             "max(k, -a / b)", "where(a > k, a, k / b)", "min(k, b / b)"]  # fmt: skip
    for text in texts:
        assert np.isnan(_some(text, a=a, b=b, k=k)), text
        assert np.isfinite(_some(text, a=a, b=a, k=k)), text


def test_bands_without_no_data_are_not_compared() -> None:
    formulas, bands = [parse("(a - b) / (a + b)")], ("a", "b")
    both, _ = expression_kernel(formulas, bands, None, (np.uint16(0), np.uint16(0)))
    one, _ = expression_kernel(formulas, bands, None, (np.nan, np.uint16(7)))
    none, _ = expression_kernel(formulas, bands, None, (np.nan, np.float32(np.nan)))
    assert [k.source.count("==") for k in (both, one, none)] == [2, 1, 0]
    assert expression_kernel(formulas, bands)[0] is both
    a, b = np.array([7, 3, 0], "u2"), np.array([5, 7, 1], "u2")
    np.testing.assert_array_equal(one(a, b, np.nan, np.uint16(7)), np.array([1 / 6, np.nan, -1], "f4"))
    np.testing.assert_array_equal(none(a, b, np.nan, np.nan), np.array([1 / 6, -0.4, -1], "f4"))


_ARITHMETIC = st.recursive(
    st.sampled_from(["a", "b", "c", "2", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*//"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["0", "2", "3", "0.5", "-1", "-2", "(1/3)", "0.4"])).map(
            lambda t: f"({t[0]}) ** {t[1]}"
        ),
        st.tuples(st.sampled_from(["abs", "sqrt", "exp", "log", "-"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        inner.map(lambda t: f"exp(-2 * ({t}) ** 2)"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=7,
)


@settings(max_examples=40, deadline=None)
@given(_ARITHMETIC)
def test_looking_at_few_zeros_says_what_looking_at_all_says(tree: str) -> None:
    text = f"{tree} + 0 * a + 0 * b + 0 * c"
    try:
        plan = layout([parse(text)], ("a", "b", "c"), {})
    except ParameterError:  # numbers alone, or too deep
        return
    values = np.array([-1.0, 0.0, 0.5, 1.0], "f4")
    a, b, c = (np.ascontiguousarray(axis.ravel()) for axis in np.meshgrid(values, values, values))
    few = source_of(plan, (False,) * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geotoolz.core._expression_source.is_arithmetic", lambda tree: False)
        every = source_of(plan, (False,) * 3)
    made = []
    for source in (few, every):  # as Python: the arithmetic is the same, and no compiler is waited for
        space: dict[str, Any] = {"np": np, "NAN": np.nan, "choose": lambda c, a, b: a if c else b}
        space.update({name: getattr(functions, name) for name in functions.IN_FORMULAS})
        exec(source, space)
        out = np.empty(a.size, "f4")
        with np.errstate(all="ignore"):
            space["loop"](out, a, b, c, np.nan, np.nan, np.nan)
        made.append(out)
    np.testing.assert_array_equal(*made, err_msg=text)
