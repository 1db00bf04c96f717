"""One difference between two pipelines, and what kinds there are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["changed", "added", "removed", "moved", "replaced", "renamed", "rewired"]

SIGNS: dict[str, str] = {
    "changed": "~",
    "added": "+",
    "removed": "-",
    "moved": ">",
    "replaced": "!",
    "renamed": "=",
    "rewired": "@",
}
"""What stands before a difference in text."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes
    ----------
    kind : str
        "changed" (a parameter), "added", "removed", "moved" (a step), "replaced" (another operator in
        the same place), "renamed" (a branch, case or node under another name, equal otherwise),
        "rewired" (the inputs or outputs of a graph).
    path : str
        Where, in the second pipeline; of what was removed, in the first.
    step : str
        The operator, as it is written in Python.
    parameter : str
        Of what was changed or rewired.
    old, new : object
        Values as the configuration holds them; of a move the two paths.
    where : str
        A step beside it: "before NDVI".
    in_hash : bool
        Whether the pipelines' hashes know of it. Where files are read from or written to they do not.
    path_a : str
        Where it was, in the first pipeline; empty for what was added or removed.
    """

    kind: Kind
    path: str
    step: str
    parameter: str = ""
    old: Any = None
    new: Any = None
    where: str = ""
    in_hash: bool = True
    path_a: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the difference as lines of text, each with its sign."""
        name = self.step.partition("(")[0]
        label = f"{name}.{self.parameter}" if self.parameter else self.step
        head = f"{SIGNS[self.kind]} {label}"
        beside = f" ({self.where})" if self.where else ""
        if self.kind in ("changed", "rewired"):
            aside = "" if self.in_hash else ", no part of the hash"
            told = f"{head}  [{self.path}{aside}]"
            return [told, f"  - {shown(self.old)}", f"  + {shown(self.new)}"]
        if self.kind == "replaced":
            return [f"{SIGNS[self.kind]} {self.path}", f"  - {self.old}", f"  + {self.new}"]
        if self.kind in ("moved", "renamed"):
            return [f"{head}  [{self.old} → {self.new}]{beside}"]
        return [f"{head}  [{self.path}]{beside}"]


def shown(value: Any, length: int = 100) -> str:
    """Return a value of a configuration in a line.

    Examples
    --------
    >>> shown(None), shown(True), shown({"window": 5}), shown("red")
    ('none', 'true', '{window: 5}', "'red'")
    """
    text = _text(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        target = value.get("_target_")
        own = ", ".join(f"{key}: {_text(item)}" for key, item in value.items() if key != "_target_")
        return f"{str(target).rpartition('.')[2]}({own})" if target else f"{{{own}}}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    return repr(value)
