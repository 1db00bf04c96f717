"""The operator reference, made from the registry and from the contract suites.

What an operator writes and how far it looks is asked of its plan, on the tile of its contract case: the table
cannot promise what the code does not do. Nothing of it is committed; the docs build makes it.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from scripts.docs_tile import ROOT, code, table

_INTRODUCTION = """# Operators

Every operator that the installed packages announce: what it writes and how far it looks are asked of its
plan, on the tile that its contract test uses (seven reflectance bands, quality layers, a mask). *Bands* are
all variables that hold measurements. A parameter marked *role* takes a role, a variable's name or the
sensor's own name ([The tile](../tile.md#roles)).
"""
_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """What the reference says of one operator; every text is Markdown."""

    path: str
    verb: str
    kind: str
    parameters: str
    reads: str
    writes: str
    footprint: str
    tags: str
    summary: str
    source: str

    @property
    def module(self) -> str:
        """The public module."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The class's name."""
        return self.path.rpartition(".")[2]


@cache
def entries() -> tuple[Entry, ...]:
    """Return every operator that an installed package announces."""
    from geotoolz.core import registered_operators

    examples = _examples()
    found = []
    for path, cls in registered_operators(announced_only=True).items():
        reads, writes, footprint = _planned(examples.get(path))
        text = inspect.cleandoc(cls.__doc__ or "")
        found.append(
            Entry(
                path,
                verb=_verb(path, cls),
                kind=_kind(cls),
                parameters=_parameters(cls),
                reads=reads,
                writes=writes,
                footprint=footprint,
                tags=code(sorted(cls.tags)) or "–",
                summary=_line(text.split("\n\n")[0]),
                source=_line(_section(text, "References")),
            )
        )
    return tuple(found)


def page() -> str:
    """Return the page of all operators."""
    parts = [_INTRODUCTION]
    for module in dict.fromkeys(entry.module for entry in entries()):
        parts.append(f"## {module}\n\n{module_table(module)}")
    return "\n".join(parts)


def module_table(module: str) -> str:
    """Return the table of one module's operators; empty for a module without any."""
    rows = [
        (f"[`{e.name}`][{e.path}]" + (f"<br>`{e.verb}`" if e.verb else ""),
         e.summary + (f"<br><small>{e.source}</small>" if e.source else ""),
         e.parameters, e.writes, e.footprint, e.kind, e.tags)
        for e in entries() if e.module == module
    ]  # fmt: skip
    head = ("operator, verb", "what it does", "parameters", "writes", "looks", "kind", "tags")
    return table(head, rows) if rows else ""


# ---- what stands in the cells ------------------------------------------------------------------------------


def _line(text: str) -> str:
    """Return text as one line of a table's cell, with reST's code marks turned into Markdown's."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _section(text: str, name: str) -> str:
    found = {match[1].strip(): match.end() for match in _SECTION.finditer(text)}
    if name not in found:
        return ""
    following = _SECTION.search(text, found[name])
    return text[found[name] : following.start() if following else len(text)]


def _verb(path: str, cls: type) -> str:
    """Return the function beside an operator, by what `geotoolz.core.verb` writes into its docstring."""
    module = importlib.import_module(path.rpartition(".")[0])
    names: list[str] = module.__all__
    for name in names:
        value = getattr(module, name)
        if inspect.isfunction(value) and (value.__doc__ or "").startswith(f"Apply `{cls.__name__}`"):
            return name
    return ""


def _kind(cls: type) -> str:
    from geotoolz.core import Assertion, Freezable, Graph, Join, Map, Reduce, Sink

    kinds = {
        Assertion: "assertion",
        Reduce: "statistic",
        Sink: "sink",
        Freezable: "needs freezing",
        Map: "map",
        Join: "joins tiles",
        Graph: "combines",
    }
    parts = ("geotoolz.patch", "geotoolz.learn")
    if cls.__module__.startswith(parts) and not issubclass(cls, tuple(kinds)):
        return "part of a step"  # geometries, samplers, windows, aggregations, adapters
    return next((kind for base, kind in kinds.items() if issubclass(cls, base)), "combines")


def _parameters(cls: type) -> str:
    shown = []
    hints = get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        role = " *role*" if "role" in getattr(hints[field.name], "__metadata__", ()) else ""
        if field.default is not dataclasses.MISSING:
            shown.append(f"`{field.name}={field.default!r}`{role}")
        elif field.default_factory is not dataclasses.MISSING:
            shown.append(f"`{field.name}={field.default_factory()!r}`{role}")
        else:
            shown.append(f"**`{field.name}`**{role}")
    return ", ".join(shown).replace("|", "\\|") or "–"


def _planned(example: tuple[Any, Any] | None) -> tuple[str, str, str]:
    """Return what an example of an operator reads and writes, and how far it looks."""
    if example is None:
        return "–", "–", "–"
    op, tile = example
    program, before = _compiled(op, tile)
    after = next(iter(program.states.values()))
    changed = [n for n, slot in after.slots.items() if slot not in program.sources and n in before.variables]
    new = {n: after.spec.variables[n].dtype.name for n, s in after.slots.items() if n not in before.variables}
    gone = [n for n in before.variables if n not in after.slots]
    said = [f"`{name}` ({dtype})" for name, dtype in new.items()][:4]
    if len(new) > 4:
        said.append("…")
    if changed:
        dtypes = sorted({after.spec.variables[n].dtype.name for n in changed})
        said.append(
            f"bands ({', '.join(dtypes)})" if len(changed) > 2 else f"{code(changed)} ({', '.join(dtypes)})"
        )
    if gone:
        said.append(f"drops {len(gone)} variables")
    if program.sinks:
        said.append("files")
    if program.reductions and not said:
        said.append("nothing; gathers a statistic")
    return _reads(program), ", ".join(said) or "nothing", _reach(program)


def _reads(program: Any) -> str:
    """Return the variables whose pixels are looked at; by name up to four, then their number."""
    slots = {slot for step in program.instructions for slot in step.reads}
    slots |= {slot for reduction in program.reductions for slot in reduction.reads}
    for step in program.unfrozen:
        names = step.op.statistics(step.state.spec).plan(step.state.spec).all_reads()
        slots |= {step.state.slots[name] for name in names}
    names = [name for slot, (_, name) in program.sources.items() if slot in slots]
    return (code(names) if len(names) <= 4 else f"{len(names)} bands") or "no pixels"


def _compiled(op: Any, tile: Any) -> tuple[Any, Any]:
    from geotoolz.core import Graph, Join, TileSpec, compile

    spec = TileSpec.of(tile)
    if isinstance(op, Join):
        op = Graph(("a",), {"joined": {"operator": op, "inputs": ("a",)}}, {"": "joined"})
    return compile(op, spec), spec


def _reach(program: Any) -> str:
    from geotoolz.core import ALL

    footprint = program.footprint
    frozen = " + the scene’s statistics" if program.unfrozen else ""
    if any(step.change is not None for step in program.instructions):
        return "pixels of another grid" + frozen
    if not footprint.is_finite:
        axes = {(True, False): "its whole column", (False, True): "its whole row"}
        return axes.get((footprint.y == ALL, footprint.x == ALL), "the whole tile") + frozen
    reach = max(int(r) for r in (footprint.y, footprint.x) if r != ALL)
    aligned = f", blocks of {footprint.align}" if footprint.align != 1 else ""
    return (
        ("the pixel" if reach == 0 else f"{reach} pixel{'s' if reach > 1 else ''} around") + aligned + frozen
    )


# ---- examples ----------------------------------------------------------------------------------------------


@cache
def _examples() -> dict[str, tuple[Any, Any]]:
    """Return an instance of every operator and a tile that it accepts, from the contract suites."""
    found: dict[str, tuple[Any, Any]] = {}
    folder = Path(tempfile.mkdtemp(prefix="geotoolz-docs-"))
    for entry in _cases():
        path = entry.cls.target()
        if path not in found:
            own = Path(tempfile.mkdtemp(dir=folder))  # several write a file of the same name
            found[path] = (entry.make(own), entry.tile())
    from geotoolz.core.testing import contract_tile
    from geotoolz.io import WriteCOG

    found.setdefault(WriteCOG.target(), (WriteCOG("out/{tile_id}_{band}.tif"), contract_tile()))
    return found


def _cases() -> Iterator[Any]:
    for suite in contract_suites():
        yield from suite.cases


@cache
def contract_suites() -> tuple[Any, ...]:
    """Return every contract suite of the packages."""
    from geotoolz.core.testing import ContractSuite

    paths = [
        *ROOT.glob("packages/*/tests/**/test*contract*.py"),
        *ROOT.glob("geotoolz-nextgen/tests/**/test*contract*.py"),
    ]
    found = []
    for number, path in enumerate(sorted(paths)):
        module = imported(path, f"_docs_contract_{number}")
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, ContractSuite) and value is not ContractSuite:
                found.append(value)
    return tuple(found)


def imported(path: Path, name: str) -> Any:
    """Import a file of tests under a name of its own; its conftest would put its helpers on the path."""
    helpers = str(path.parent / "helpers")
    if helpers not in sys.path and Path(helpers).is_dir():
        sys.path.append(helpers)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    print(page())
