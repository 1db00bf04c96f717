"""Pipelines by name."""

from __future__ import annotations

from importlib.resources import files


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
