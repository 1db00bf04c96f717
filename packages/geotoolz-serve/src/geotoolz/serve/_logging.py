"""The request log: one JSON object a line."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

ACCESS = logging.getLogger("geotoolz.serve.access")
_EXTRAS = ("request_id", "client", "method", "path", "route", "status", "ms", "bytes")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, message, and what the request was."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: getattr(record, name) for name in _EXTRAS if hasattr(record, name)})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str) -> None:
    """Send the records of geotoolz.serve and uvicorn to stderr as JSON lines.

    Parameters
    ----------
    level : str
        ``debug``, ``info``, ``warning``, ``error``.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.captureWarnings(True)  # what a scene's metadata leaves open is a line, too
    for name in ("geotoolz", "uvicorn", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False
    for name in ("uvicorn.error", "uvicorn.access"):  # the latter says the same as ours, without the id
        child = logging.getLogger(name)
        child.handlers = []
        child.propagate = name == "uvicorn.error"
