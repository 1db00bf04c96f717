"""What the functions in a pipeline do, as a hash: their names stay when they are edited."""

from __future__ import annotations

import hashlib
import importlib
from types import CodeType, FunctionType
from typing import Any

from geotoolz.core import Operator

_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(...))


def code_hash(op: Operator) -> str:
    """Return a SHA-256 of the compiled code of all functions that a pipeline names.

    Functions of the same module that they call count with their code, too; other modules count with nothing.
    Comments and line numbers do not count. Another version of Python compiles to other code.
    """
    found = hashlib.sha256()
    for path, child in op.walk():
        name = getattr(child, "function", None)
        if getattr(child, "opaque", False) and isinstance(name, str):
            module, _, attribute = name.rpartition(".")
            fn = getattr(importlib.import_module(module), attribute, None)
            found.update(f"{path}:{name}".encode())
            _add(found, fn, set())
    return found.hexdigest()


def _add(found: Any, fn: Any, seen: set[int]) -> None:
    if not isinstance(fn, FunctionType):  # an object that is called: what counts is its class
        fn = vars(type(fn)).get("__call__")
    if not isinstance(fn, FunctionType) or id(fn) in seen:
        return
    seen.add(id(fn))
    _add(found, getattr(fn, "__wrapped__", None), seen)
    found.update(_text((fn.__defaults__, *sorted((fn.__kwdefaults__ or {}).items()))).encode())
    for cell in fn.__closure__ or ():
        found.update(_text(cell.cell_contents).encode())
    names = _add_code(found, fn.__code__)
    for name in sorted(names):
        used = fn.__globals__.get(name)
        if isinstance(used, FunctionType) and used.__module__ == fn.__module__:
            _add(found, used, seen)
        elif isinstance(used, (*_PLAIN, tuple, frozenset)):
            found.update(_text((name, used)).encode())


def _add_code(found: Any, code: CodeType) -> set[str]:
    """Add instructions and constants; return the names that are used."""
    found.update(code.co_code)
    found.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _add_code(found, constant)
        else:
            found.update(_text(constant).encode())
    return names


def _text(value: Any) -> str:
    """Return what stands for a value, the same in every process."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_text, value)))}}}"
    return repr(value) if isinstance(value, _PLAIN) else type(value).__qualname__
