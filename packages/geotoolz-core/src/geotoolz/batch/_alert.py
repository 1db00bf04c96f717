"""Telling somebody that a run needs a look: a command that is called, or a webhook."""

from __future__ import annotations

import json
import logging
import re
import shlex
import socket
import string
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ._exit_codes import ExitCode

if TYPE_CHECKING:
    from ._report import BatchReport

__all__ = ["Alert"]

_log = logging.getLogger("geotoolz.batch")
_TIMEOUT = 10.0
_WEB = re.compile(r"https?://", re.IGNORECASE)
_EVENTS = {
    ExitCode.FAILED_TILES: "failed-tiles",
    ExitCode.STOPPED: "stopped",
    ExitCode.INTERRUPTED: "interrupted",
}
#: what a command template may name
_FIELDS = ("event", "text", "out", "exit_code", "failed", "done", "report")


class Alert:
    """Calls a webhook or a command when a run has ended in another way than well.

    A webhook gets a POST with JSON; a command gets the same JSON on its standard input, and its words may
    name ``{event}``, ``{text}``, ``{out}``, ``{exit_code}``, ``{failed}``, ``{done}`` and ``{report}``. No
    shell looks at the words. A webhook that does not answer, or a command that fails, is a warning in the
    log; it changes neither the run nor its exit code.

    Parameters
    ----------
    target : str
        ``https://…``, or a command such as ``mail-me --subject {event} {out}``.
    timeout : float
        Seconds that it may take.

    Raises
    ------
    ParameterError
        For a command that names something else, or none at all.

    Examples
    --------
    >>> Alert("notify-send {event} {text}").words({"event": "stopped", "text": "10 failed; no disk"})
    ['notify-send', 'stopped', '10 failed; no disk']
    """

    def __init__(self, target: str, timeout: float = _TIMEOUT) -> None:
        self.target = target
        self.timeout = timeout
        self.is_web: bool = _WEB.match(target) is not None
        self._words = () if self.is_web else _split(target)

    @staticmethod
    def of(target: str | Alert | None) -> Alert | None:
        """Take an alert, a target, or None."""
        return Alert(target) if isinstance(target, str) else target

    def words(self, facts: Mapping[str, Any]) -> list[str]:
        """Return the command with its places filled in."""
        return [word.format_map(facts) for word in self._words]

    def about(self, report: BatchReport) -> None:
        """Tell of a run that ended in another way than well; of the others nothing."""
        event = _EVENTS.get(report.exit_code)
        if event is not None:
            self.send(_facts(report, event))

    def crashed(self, out: object, error: BaseException) -> None:
        """Tell of a run that was ended by an error."""
        text = f"{out}: ended by {type(error).__name__}: {error}"
        self.send(
            {
                **dict.fromkeys(_FIELDS, ""),
                "event": "crashed",
                "text": text,
                "out": str(out),
                "exit_code": int(ExitCode.CRASH),
                "host": socket.gethostname(),
            }
        )

    def send(self, facts: Mapping[str, Any]) -> None:
        """Call the webhook or the command; what goes wrong there is a warning."""
        try:
            self._post(facts) if self.is_web else self._call(facts)
        except (OSError, ValueError, subprocess.SubprocessError) as exc:
            _log.warning("the alert to %s failed: %s: %s", self, type(exc).__name__, exc)

    def _post(self, facts: Mapping[str, Any]) -> None:
        from urllib.request import Request, urlopen

        headers = {"Content-Type": "application/json", "User-Agent": "geotoolz"}
        request = Request(self.target, json.dumps(facts).encode(), headers, method="POST")
        with urlopen(request, timeout=self.timeout) as answer:
            answer.read(1024)

    def _call(self, facts: Mapping[str, Any]) -> None:
        subprocess.run(
            self.words(facts),
            input=json.dumps(facts).encode() + b"\n",
            timeout=self.timeout,
            check=True,
            stdout=subprocess.DEVNULL,  # ours is for results
            stderr=subprocess.DEVNULL,
        )

    def __str__(self) -> str:
        """Return where it goes; a webhook's path is often a secret."""
        return f"{urlsplit(self.target).hostname}" if self.is_web else self._words[0]


def _facts(report: BatchReport, event: str) -> dict[str, Any]:
    return {
        "event": event,
        "text": f"{report.out}: {report}",
        "out": str(report.out),
        "exit_code": int(report.exit_code),
        "stopped": report.stopped.value if report.stopped else None,
        "done": report.counts.get("done", 0),
        "failed": len(report.failed),
        "counts": report.counts,
        "failures": report.failures,
        "first_failures": [
            {"id": row.tile_id, "kind": row.kind, "error": row.error, "message": row.message}
            for row in report.failed[:5]
        ],
        "report": str(report.pages[0]),
        "host": socket.gethostname(),
    }


def _split(command: str) -> tuple[str, ...]:
    from geotoolz.core._errors import ParameterError

    expected = "an address (https://…), or a command whose places are " + ", ".join(
        f"{{{name}}}" for name in _FIELDS
    )
    try:
        words = tuple(shlex.split(command))
        named = {name for word in words for _, name, _, _ in string.Formatter().parse(word)}
    except ValueError as exc:
        raise ParameterError(f"alert={command!r}: {exc}", expected=expected) from exc
    unknown = sorted(name for name in named if name is not None and name not in _FIELDS)
    if not words or unknown:
        found = f" names {', '.join(f'{{{name}}}' for name in unknown)}" if unknown else " is empty"
        raise ParameterError(
            f"alert={command!r}{found}", expected=expected, fix="write {{ and }} for braces of your own"
        )
    return words
