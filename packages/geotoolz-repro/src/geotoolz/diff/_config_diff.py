"""What differs between two pipelines, without running them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geotoolz.core import GeotoolzError, Operator
from geotoolz.diff._changes import Change
from geotoolz.diff._pipelines import PipelineLike, load_pipeline
from geotoolz.diff._walk import differences

if TYPE_CHECKING:
    from rich.text import Text

_COLOURS = {"~": "yellow", "+": "green", "-": "red", ">": "blue", "!": "yellow", "=": "dim", "@": "magenta"}


@dataclass(frozen=True)
class ConfigDiff:
    """What differs between two pipelines.

    Attributes
    ----------
    a, b : Operator
        Before and after.
    changes : tuple of Change
    hash_a, hash_b : str
        The pipelines' hashes; empty where something exists in memory only.
    notes : tuple of str
        What is written differently and means the same.
    """

    a: Operator = field(repr=False)
    b: Operator = field(repr=False)
    changes: tuple[Change, ...]
    hash_a: str
    hash_b: str
    notes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether both are the same pipeline: equal hashes, or no difference that a hash would know of."""
        if self.hash_a and self.hash_b:
            return self.hash_a == self.hash_b
        return not any(change.in_hash for change in self.changes)

    def __bool__(self) -> bool:
        """Whether there is a difference."""
        return not self.equal

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def to_text(self) -> str:
        """Return the differences as lines: ``~`` changed, ``+`` added, ``-`` removed, ``>`` moved."""
        head = ["the same pipeline"] if self.equal else []
        lines = [line for change in self.changes for line in change.lines()]
        return "\n".join([*head, *lines, *(f"note: {note}" for note in self.notes)])

    def __str__(self) -> str:
        return self.to_text()

    def __rich__(self) -> Text:
        """Return the differences in the colours of a terminal."""
        from rich.text import Text

        text = Text()
        for line in self.to_text().splitlines():
            text.append(line + "\n", style=_COLOURS.get(line.lstrip()[:1], ""))
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return the differences as plain values."""
        return {
            "equal": self.equal,
            "hash_a": self.hash_a,
            "hash_b": self.hash_b,
            "changes": [change.to_dict() for change in self.changes],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return the differences as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def to_html(self) -> str:
        """Return a page with both graphs side by side; it needs nothing from elsewhere."""
        from geotoolz.diff._diff_html import page

        return page(self)

    def _repr_html_(self) -> str:
        from geotoolz.diff._diff_html import body

        return body(self)


def config_diff(
    a: PipelineLike, b: PipelineLike, *, variables: Mapping[str, Any] | None = None
) -> ConfigDiff:
    r"""Say what differs between two pipelines, without running them.

    Steps are paired by what they are: one that stands elsewhere has moved, one that is paired may
    have other parameters. Parameters are compared with their defaults, so that a default that is
    written out is no difference, and neither is an operator that is called by an old name. Nodes,
    edges, inputs and outputs of a `Graph` are compared by name.

    Nothing here says what a difference does to the pixels: that is what `AB` measures.

    Parameters
    ----------
    a, b : Operator, mapping, str or path
        Before and after: pipelines, their configurations, YAML text, YAML files, names of presets.
    variables : mapping, optional
        Values for the places ``${name}`` of both texts.

    Returns
    -------
    ConfigDiff

    Raises
    ------
    ConfigError
        If one is no pipeline; with file and line.

    Examples
    --------
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.diff import config_diff
    >>> from geotoolz.radiometry import BoxMean, SelectBands
    >>> old = Sequential([SelectBands(("red",)), BoxMean(1)])
    >>> new = Sequential([BoxMean(2), SelectBands(("red", "nir"))])
    >>> print(config_diff(Sequential([BoxMean(1)]), Sequential([SelectBands(("red",)), BoxMean(2)])))
    + SelectBands(names=('red',))  [operators[0]] (before BoxMean)
    ~ BoxMean.radius  [operators[1].radius]
      - 1
      + 2
    """
    one, two = load_pipeline(a, variables), load_pipeline(b, variables)
    changes = tuple(differences(one.op, two.op))
    hashes = (_hash(one.op), _hash(two.op))
    notes = [*_old_names("a", one.aliases), *_old_names("b", two.aliases)]
    if hashes[0] != hashes[1] and not any(change.in_hash for change in changes):
        notes.append("the same steps, grouped in other chains: no pixel differs, but the hash does")
    return ConfigDiff(one.op, two.op, changes, *hashes, tuple(notes))


def _hash(op: Operator) -> str:
    try:
        return op.config_hash()
    except GeotoolzError:  # a step that exists in memory only has none
        return ""


def _old_names(side: str, aliases: tuple[tuple[str, str, str], ...]) -> Iterator[str]:
    for path, old, now in aliases:
        yield f"{side}: {path or 'the pipeline'} calls {now} by its old name {old}"
