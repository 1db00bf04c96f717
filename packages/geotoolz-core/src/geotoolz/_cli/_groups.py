"""Groups of installed packages: listed by their metadata, imported when they are used."""

from __future__ import annotations

import ast
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

import geotoolz
from geotoolz._cli._console import told

GROUP = "geotoolz.cli"


class PlainGroup(TyperGroup):
    """A group whose help shows the first sentence of every command in full."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an interrupt is told, Typer itself would leave in silence."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if ctx.parent is None:
                told("interrupted")
            raise

    def sections(self, ctx: Any) -> list[tuple[str, list[str]]]:
        """Return the titles and commands of the help text."""
        return [("Commands", self.list_commands(ctx))]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, section by section."""
        for title, names in self.sections(ctx):
            shown = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, command.get_short_help_str(300)) for name, command in shown if command is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class RootGroup(PlainGroup):
    """The root: its own commands, and a group per entry point of ``geotoolz.cli``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the own commands, then the packages."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(_points()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return an own command, or a stand-in for a package's group."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        point = _points().get(cmd_name)
        return None if point is None else _stand_in(point)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; a misspelt one is answered with the nearest, the packages' included."""
        for name, point in _points().items():
            self.commands.setdefault(name, _stand_in(point))
        return super().resolve_command(ctx, args)

    def sections(self, ctx: Any) -> list[tuple[str, list[str]]]:
        """Own commands first, then those of packages."""
        packages = [
            name for name in self.list_commands(ctx) if isinstance(self.get_command(ctx, name), _StandIn)
        ]
        own = [name for name in self.list_commands(ctx) if name not in packages]
        return [("Commands", own), ("Packages", packages)]


class _StandIn(TyperGroup):
    """Knows name and help text of a package's group; loads it when it is called."""

    point: EntryPoint

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Hand over to the package's own group."""
        return _load(self.point).make_context(info_name, args, parent, **extra)


def loaded(command: Any) -> Any:
    """Return a command, of a package's stand-in the package's own group."""
    return _load(command.point) if isinstance(command, _StandIn) else command


def package_group(name: str) -> Any:
    """Return the group of an installed package, or None."""
    point = _points().get(name)
    return None if point is None else _load(point)


def _stand_in(point: EntryPoint) -> _StandIn:
    made = _StandIn(name=point.name, help=_summary(point), rich_markup_mode=None)
    made.point = point
    return made


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _summary(point: EntryPoint) -> str:
    """Return what a group is about, without importing it: its room's first line, else its distribution's.

    A room may have a second group, in a module with a name of its own, whose first line it is then.
    """
    top, _, rest = point.module.partition(".")
    own, _, module = rest.partition(".")
    room = Path(point.name if own == "_cli" else own, "__init__.py")  # core's groups bear the names of rooms
    if own != "_cli" and module not in ("", "_cli"):
        room = Path(own, *module.split(".")).with_suffix(".py")
    for base in geotoolz.__path__ if top == "geotoolz" else ():
        if (path := Path(base, room)).is_file():
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            return text.partition("\n")[0].replace("`", "")
    return (point.dist.metadata["Summary"] or "") if point.dist is not None else ""


def _load(point: EntryPoint) -> Any:
    app = point.load()
    return typer.main.get_command(app) if isinstance(app, typer.Typer) else app
