"""Advice that names arguments of Python functions, said as options of the command that was called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from geotoolz._cli._groups import loaded

#: arguments whose options are called otherwise
_SYNONYMS = {
    "resolution": "res",
    "n_workers": "workers",
    "include_cols": "columns",
    "statistics": "statistic",
}
_ARGUMENT = re.compile(
    r"(?<![\w.$\-])(?P<name>[a-z_]+)=(?P<value>\[[^\]]*\]|\([^)]*\)|'[^']*'|\"[^\"]*\"|…|[\w.\-]+)"
)


def options_of(command: Any, args: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return argument → (option, what stands for its value) of the command that a call means.

    Parameters
    ----------
    command : click.Command
        The app.
    args : sequence of str
        As the user wrote them.
    """
    for arg in args:
        command = loaded(command)
        inner = command.get_command(None, arg) if hasattr(command, "get_command") else None
        if inner is None:
            break
        command = inner
    found: dict[str, tuple[str, str]] = {}
    for parameter in getattr(loaded(command), "params", ()):
        names = [name for name in getattr(parameter, "opts", ()) if name.startswith("--")]
        if names and not getattr(parameter, "is_flag", False):
            found[names[0][2:].replace("-", "_")] = (names[0], str(parameter.metavar or "VALUE"))
    return found


def in_options(text: str, options: Mapping[str, tuple[str, str]]) -> str:
    """Return a message in which arguments are said as options, where there is such an option.

    Examples
    --------
    >>> in_options("name the bands: bands=['red', 'nir']", {"bands": ("--bands", "A,B")})
    'name the bands: --bands red,nir'
    >>> in_options("say resolution=… or crs=…", {"res": ("--res", "SIZE")})
    'say --res SIZE or crs=…'
    """

    def said(match: re.Match[str]) -> str:
        name = _SYNONYMS.get(match["name"], match["name"])
        if name not in options:
            return match[0]
        option, metavar = options[name]
        value = ",".join(re.findall(r"[^\s,'\"\[\]()]+", match["value"]))
        return f"{option} {metavar if value in ('', '…') else value}"

    return _ARGUMENT.sub(said, text)
