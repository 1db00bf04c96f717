"""Every command's help has an example, and the example's words are words that the command knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from geotoolz._cli._app import app
from geotoolz._cli._groups import loaded

ROOT = typer.main.get_command(app)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    found = loaded(command)
    if not hasattr(found, "list_commands"):
        yield path, found
        return
    context = ROOT.make_context("geotoolz", ["info", "scene"], resilient_parsing=True)
    for name in found.list_commands(context):
        yield from commands(found.get_command(context, name), (*path, name))


COMMANDS = dict(commands(ROOT))


def test_all_packages_are_looked_at() -> None:
    groups = {path[0] for path in COMMANDS}
    assert groups >= {
        "run",
        "catalog",
        "cloud",
        "indices",
        "learn",
        "patch",
        "qc",
        "repro",
        "serve",
        "nextgen",
    }
    assert len(COMMANDS) >= 68


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_has_an_example_that_parses(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    (line,) = re.findall(r"^Example: (.+)$", command.help, re.MULTILINE)
    first, *words = shlex.split(line.partition(" > ")[0])
    assert (first, *words[: len(path)]) == ("geotoolz", *path)
    context = command.make_context(" ".join(path), words[len(path) :])  # unknown options and values raise
    given = [one.name for one in command.params if one.required and context.params[one.name] is None]
    assert not given
