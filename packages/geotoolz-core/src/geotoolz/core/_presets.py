"""Pipelines by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from geotoolz.core._operator import Operator

GROUP = "geotoolz.presets"
"""Entry points of packages with a folder ``pipelines`` of YAML files."""

TOGETHER = {
    "burn-severity": "geotoolz temporal burn-severity BEFORE AFTER OUT",
    "monthly-composite": "geotoolz temporal monthly-composite CATALOG OUT --aoi AREA",
}
"""Presets that take several scenes together, and the command that does."""

_PLACE = re.compile(r"\$\{([^{}:]+)(?::[^{}]*)?\}")


def places_in(text: str) -> frozenset[str]:
    """Return the names of the places ``${name}`` that a pipeline's text has."""
    return frozenset({match[1].strip() for match in _PLACE.finditer(text)} - {"env"})


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets, sorted: those of core, and of packages that announce some."""
    return tuple(sorted(_presets()))


def preset_text(name: str) -> str:
    """Return the YAML text of a preset."""
    return _presets()[name].read_text("utf-8")


@lru_cache(maxsize=1)
def _presets() -> dict[str, Traversable]:
    """Find the files; of two of one name core's is meant."""
    return {
        file.name.removesuffix(".yaml"): file
        for folder in _folders()
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    }


def _folders() -> Iterator[Traversable]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.value):
        yield files(point.value) / "pipelines"
    yield files("geotoolz.core") / "pipelines"


def preset_about(name: str) -> str:
    """Return the first line of a preset, a comment that says what it does."""
    return preset_text(name).splitlines()[0].lstrip("# ")


def refuse_together(name: str) -> None:
    """Refuse a preset that takes several scenes together where every scene is treated by itself.

    Raises
    ------
    ConfigError
        With the command that takes them.
    """
    if name in TOGETHER:
        from geotoolz.core._errors import ConfigError

        raise ConfigError(
            f"the preset {name} takes several scenes together, and each scene is treated by itself here",
            fix=TOGETHER[name],
        )


def preset(name: str, /, *, sink: bool = False, **values: Any) -> Operator:
    """Return a pipeline that `geotoolz run` knows by its name.

    Parameters
    ----------
    name : str
        ``"ndvi"``, ``"true-color"``, ``"cloud-mask"``, ``"water"``, …; `geotoolz pipeline list` tells all.
        ``"burn-severity"`` and ``"monthly-composite"`` take stacks ``(time, y, x)``.
    sink : bool
        Keep the step that writes files: for `CatalogPipeline`. Without it the pipeline turns a tile into
        a tile.
    **values
        For the places ``${…}`` of the pipeline, which `geotoolz pipeline show NAME` shows.

    Returns
    -------
    Operator

    Raises
    ------
    ConfigError
        For an unknown name, with the nearest, and for a value that the pipeline has no place for.

    Examples
    --------
    >>> import geotoolz as gz
    >>> from geotoolz.core.testing import simulate_scene
    >>> picture = gz.preset("true-color", vmax=0.4)(simulate_scene((16, 16)))
    >>> picture.red.dtype
    dtype('uint8')
    """
    from geotoolz.core._errors import ConfigError, nearest
    from geotoolz.core._load import load
    from geotoolz.core._sequential import Sequential

    known = preset_names()
    if name not in known:
        raise ConfigError(
            f"there is no preset {name!r}{nearest(str(name), known)}", expected=f"one of {', '.join(known)}"
        )
    text = preset_text(name)
    places = places_in(text)
    for key, value in values.items():
        if key not in places:
            raise ConfigError(
                f"{key}={value!r}: the preset {name} has no ${{{key}}}{nearest(key, places)}",
                expected=", ".join(sorted(places)) or "no values",
            )
    whole = load(text, variables=values)
    if sink or not isinstance(whole, Sequential):
        return whole
    return Sequential(whole.operators[:-1])
