"""Which operators exist, under which names."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from geotoolz.core._errors import ConfigError, MissingDependencyError, UnknownOperatorError, nearest

if TYPE_CHECKING:
    from geotoolz.core._operator import Operator

ENTRY_POINT_GROUP = "geotoolz.operators"

_classes: dict[str, type[Operator]] = {}
_aliases: dict[str, str] = {}
_lock = threading.RLock()
_loaded: dict[str, ImportError | None] = {}


def public_path(cls: type) -> str:
    """Return the import path that users type: private modules are left out.

    Examples
    --------
    >>> from geotoolz.core import Sequential
    >>> public_path(Sequential)
    'geotoolz.core.Sequential'
    """
    parts = cls.__module__.split(".")
    public = [part for part in parts if not part.startswith("_") or part == "__main__"]
    return ".".join([*public, cls.__qualname__])


def register(cls: type[Operator]) -> None:
    """Make an operator class known by its public path and its old names."""
    if "<locals>" in cls.__qualname__:
        return  # cannot be imported by anybody, so it cannot stand in a configuration either
    path = public_path(cls)
    _classes[path] = cls
    for old in cls.__dict__.get("aliases", ()):
        _aliases[old] = path


def load_entry_points() -> None:
    """Import every module that an installed package announces under ``geotoolz.operators``."""
    with _lock:
        for module in announced_modules():
            _load(module)


def _load(module: str) -> None:
    with _lock:
        if module in _loaded:
            return
        try:
            importlib.import_module(module)
            _loaded[module] = None
        except ImportError as error:  # an optional dependency of that module is absent
            _loaded[module] = error


def announced_modules() -> tuple[str, ...]:
    """Return the modules that installed packages announce, without importing them."""
    return _announced(tuple((folder, _changed(folder)) for folder in sys.path))


@functools.lru_cache(maxsize=4)
def _announced(folders: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    # hundreds of files are read for it, and every operator of a stranger's pipeline is looked up
    return tuple(sorted({point.value for point in entry_points(group=ENTRY_POINT_GROUP)}))


def _changed(folder: str) -> int:
    """Return when something was last installed into a folder, or removed from it."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def registered(*, announced_only: bool = False) -> dict[str, type[Operator]]:
    """Return every known public operator by its path, sorted.

    Parameters
    ----------
    announced_only : bool
        Leave out operators that merely were defined in this process (tests, notebooks).
    """
    load_entry_points()
    found = {path: cls for path, cls in _classes.items() if _is_public(path, cls)}
    if announced_only:
        modules = announced_modules()
        found = {path: cls for path, cls in found.items() if path.rpartition(".")[0] in modules}
    return dict(sorted(found.items()))


def announced(path: str) -> type[Operator] | None:
    """Return the public operator of this path that an installed package announces, if there is one."""
    load_entry_points()
    cls = _classes.get(path)
    if cls is None or path.rpartition(".")[0] not in announced_modules() or not _is_public(path, cls):
        return None
    return cls


def _is_public(path: str, cls: type[Operator]) -> bool:
    module, _, name = path.rpartition(".")
    # what stands at the path must be the class itself: not a class of a doctest or of a private module
    found = getattr(sys.modules.get(module), name, None)
    return found is cls and not cls.is_abstract() and not name.startswith("_")


def canonical(path: str) -> str:
    """Return the present name of an operator that may be given by an old one."""
    return _aliases.get(path, path)


def find(path: str, *, allow_import: bool = True) -> type[Operator]:
    """Return the operator class of a ``_target_``.

    Parameters
    ----------
    path : str
        Public import path, or an old name of it.
    allow_import : bool
        Whether a path that no package announces may be imported. Never in the sandbox.

    Raises
    ------
    UnknownOperatorError
        With the nearest known name.
    """
    from geotoolz.core._operator import Operator

    if canonical(path) not in _classes:
        module = path.rpartition(".")[0]
        if module in announced_modules():
            _load(module)  # the other modules may be heavy, and are not asked for
    if canonical(path) not in _classes:
        load_entry_points()
    cls = _classes.get(canonical(path))
    if cls is None and allow_import:
        cls = _import(path)
    if cls is None:
        raise _unknown(path)
    kind: type = cls  # what was imported may be any class
    if not issubclass(kind, Operator) or cls.is_abstract():
        raise ConfigError(f"{path!r} is no operator that can be configured")
    return cls


def _import(path: str) -> type[Operator] | None:
    module, _, name = path.rpartition(".")
    if not module:
        return None
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(error.name + ".")):
            return None
        raise MissingDependencyError(
            f"{path!r} needs the module {error.name!r}, which is not installed"
        ) from error
    if found is None:
        return None
    if not isinstance(found, type):
        raise ConfigError(f"{path!r} is a {type(found).__name__}", expected="an operator class")
    return found


def _unknown(path: str) -> UnknownOperatorError:
    known = registered()
    name = path.rpartition(".")[2]
    # the class's name alone may be right and the module wrong
    same = [p for p in known if p.rpartition(".")[2].lower() == name.lower()]
    if same:
        hint = f" (did you mean {same[0]!r}?)"
    else:
        hint = nearest(path, known) or nearest(name, [p.rpartition(".")[2] for p in known])
    for module, error in _loaded.items():
        if error is not None and path.startswith(module + "."):
            hint += f"; module {module} could not be imported: {error}"
    root = path.partition(".")[0]
    if "." in path and root.isidentifier() and importlib.util.find_spec(root) is None:
        return UnknownOperatorError(
            f"operator {path!r} is not known: there is no module {root!r} to import it from{hint}",
            fix="install the package, or put the folder of the module on PYTHONPATH",
        )
    return UnknownOperatorError(
        f"operator {path!r} is not known{hint}", fix="`geotoolz operators` lists the known ones"
    )
