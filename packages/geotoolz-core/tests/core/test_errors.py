"""Every error says what was found, expected and to be done, is a builtin too, and travels."""

from __future__ import annotations

import pickle

import pytest

from geotoolz import core
from geotoolz.core import _errors
from geotoolz.core._errors import nearest

ERRORS = sorted(
    (c for c in vars(_errors).values() if isinstance(c, type) and issubclass(c, core.GeotoolzError)),
    key=lambda c: c.__name__,
)
BUILTINS = {
    "ParameterError": ValueError,
    "ConfigError": ValueError,
    "UnknownOperatorError": LookupError,
    "UntrustedOperatorError": PermissionError,
    "MissingVariableError": KeyError,
    "TileError": ValueError,
    "GridMismatchError": ValueError,
    "MissingCRSError": ValueError,
    "QuantityError": ValueError,
    "NotFrozenError": RuntimeError,
    "ExecutorError": RuntimeError,
    "QCError": ValueError,
    "ReadError": OSError,
    "OutsideError": ValueError,
    "WriteError": OSError,
    "CatalogError": ValueError,
    "BatchError": RuntimeError,
    "MissingDependencyError": ImportError,
}


@pytest.mark.parametrize("cls", ERRORS, ids=lambda c: c.__name__)
def test_text_is_found_expected_fix(cls: type[core.GeotoolzError]) -> None:
    assert str(cls("found 'x'", expected="y", fix="do z")) == "found 'x'; expected y; do z"
    assert str(cls("found")) == "found"


@pytest.mark.parametrize("cls", ERRORS, ids=lambda c: c.__name__)
def test_pickle_keeps_text_parts_and_extras(cls: type[core.GeotoolzError]) -> None:
    error = cls("found", expected="e", fix="f")
    error.path = "operators[1]"  # type: ignore[attr-defined]
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is cls
    assert (str(back), back.found, back.expected, back.fix) == (str(error), "found", "e", "f")
    assert back.path == "operators[1]"


@pytest.mark.parametrize("cls", ERRORS, ids=lambda c: c.__name__)
def test_prefixed_is_the_same_kind_and_leaves_the_original(cls: type[core.GeotoolzError]) -> None:
    error = cls("found", expected="e", fix="f")
    error.path = "p"  # type: ignore[attr-defined]
    there = error.prefixed("line 3")
    assert type(there) is cls
    assert str(there) == "line 3: found; expected e; f"
    assert there.path == "p"  # type: ignore[attr-defined]
    assert str(error) == "found; expected e; f"


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_builtin(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(core, name), builtin)


def test_families() -> None:
    assert issubclass(core.UnknownOperatorError, core.ConfigError)
    assert issubclass(core.UntrustedOperatorError, core.ConfigError)
    assert issubclass(core.OutsideError, core.ReadError)
    assert issubclass(core.QCWarning, UserWarning)


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert nearest("nirr", ["nir", "red"]) == " (did you mean 'nir'?)"
    assert nearest("zzz", ["nir"]) == ""
    assert nearest("x", []) == ""
