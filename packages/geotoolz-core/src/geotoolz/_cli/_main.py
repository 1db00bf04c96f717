"""From a call to an exit code: what a user sees when something goes wrong."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from geotoolz._cli._console import told
from geotoolz._cli._groups import PlainGroup

USAGE, CRASH, STOPPED, INTERRUPTED = 2, 1, 4, 130

#: Optional modules, and the extra of geotoolz-core that brings them.
_EXTRAS = {
    "geopandas": "catalog",
    "pyarrow": "catalog",
    "pystac": "catalog",
    "shapely": "catalog",
    "odc": "stac",
    "pystac_client": "stac",
    "obstore": "cloud-io",
    "dask": "dask",
}


def group_app(text: str) -> typer.Typer:
    """Return an empty app for a package's commands.

    Parameters
    ----------
    text : str
        The help text of the group.

    Returns
    -------
    typer.Typer
        Used twice: as ``geotoolz NAME …`` and as the package's own script.
    """
    # rich_markup_mode: help is plain text, which takes a third of the time and can be piped
    app = typer.Typer(
        help=text,
        cls=PlainGroup,
        rich_markup_mode=None,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
    )
    # without a callback an app of one command would lose that command's name
    app.callback()(lambda: None)
    return app


def run_app(app: typer.Typer, name: str, argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Parameters
    ----------
    app : typer.Typer
        The app.
    name : str
        The program's name in help texts.
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        0 done, 1 crash, 2 usage or wrong input, 3 finished with failed tiles, 4 stopped by the failure
        limit or a quality check, 130 interrupted.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in given
    args = [arg for arg in given if arg != "--debug"]
    before = warnings.showwarning
    told_once = _OncePerKind()
    warnings.showwarning = told_once
    try:
        typer.main.get_command(app).main(args=args, prog_name=name)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except KeyboardInterrupt:
        told("interrupted")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: reported, with a traceback in a file
        return _report(error, debug, lambda text: _worded(text, app, args))
    finally:
        warnings.showwarning = before
        told_once.sum_up()
    return 0


def _worded(text: str, app: typer.Typer, args: Sequence[str]) -> str:
    """Return a message with the options of the command that was called instead of arguments of functions."""
    from geotoolz._cli._wording import in_options, options_of

    try:
        return in_options(text, options_of(typer.main.get_command(app), args))
    except ImportError:  # the package of that command is broken: which is what is told
        return text


def _report(error: Exception, debug: bool, worded: Callable[[str], str]) -> int:
    """Tell what went wrong and return the exit code."""
    text = _users_mistake(error)
    if debug:
        traceback.print_exception(error)
    if text is not None:
        told(worded(text))
        return STOPPED if type(error).__name__ == "QCError" else USAGE
    told(f"error: geotoolz crashed: {type(error).__name__}: {error}")
    if not debug:
        told(f"  the traceback is in {_crash_file(error)} (--debug shows it)")
    return CRASH


def _users_mistake(error: BaseException) -> str | None:
    """Return the text of an error that is no bug, or None."""
    core = sys.modules.get("geotoolz.core._errors")  # not loaded: then nobody can have raised one of them
    if core is not None and isinstance(error, core.GeotoolzError):
        return error_text(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in _EXTRAS:
        extra = _EXTRAS[(error.name or "").partition(".")[0]]
        what_to_do = f"pip install 'geotoolz-core[{extra}]'"
        return f"error: the module {error.name!r} is not installed\n  what to do: {what_to_do}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.filename}: {error.strerror}"
    return None


def error_text(error: Any) -> str:
    """Return a GeotoolzError as lines: what was found, what was expected, what to do."""
    lines = [f"error: {error.found}"]
    if error.expected:
        lines.append(f"  expected: {error.expected}")
    if error.fix:
        lines.append(f"  what to do: {error.fix}")
    return "\n".join(lines)


def _crash_file(error: BaseException) -> str:
    try:
        handle, name = tempfile.mkstemp(prefix="geotoolz-crash-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(" ".join(["geotoolz", *sys.argv[1:]]) + "\n")
            file.writelines(traceback.format_exception(error))
    except OSError as problem:
        return f"no file ({problem.strerror})"
    return str(Path(name))


class _OncePerKind:
    """Shows warnings; of those that many scenes share, the first, and at the end how many there were."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: Any = None,
    ) -> None:
        kind = str(message)
        scene = getattr(message, "scene", "")
        if scene:
            kind = kind.removeprefix(f"{scene}: ")
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] == 1 or not scene:
            told(f"warning: {message}")

    def sum_up(self) -> None:
        for kind, count in self.counts.items():
            if count > 1:
                told(f"warning: {count - 1} more with the same: {kind[:60]}{'…' if len(kind) > 60 else ''}")
