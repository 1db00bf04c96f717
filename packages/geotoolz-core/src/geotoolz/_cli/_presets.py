"""Pipelines by name."""

from __future__ import annotations

from importlib.resources import files

TOGETHER = {
    "burn-severity": "geotoolz temporal burn-severity BEFORE AFTER OUT",
    "monthly-composite": "geotoolz temporal monthly-composite CATALOG OUT --aoi AREA",
}
"""Presets that take several scenes together, and the command that does."""


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets, sorted."""
    folder = files("geotoolz._cli") / "pipelines"
    return tuple(sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")))


def preset_text(name: str) -> str:
    """Return the YAML text of a preset."""
    return (files("geotoolz._cli") / "pipelines" / f"{name}.yaml").read_text("utf-8")


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
