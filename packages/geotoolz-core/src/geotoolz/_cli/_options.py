"""Arguments and options that several commands share, and what their texts mean."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from geotoolz.core import Operator
    from geotoolz.io._object_path import Place

PipelineArg = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="A YAML file, or the name of a preset (ndvi, …).")
]
SourceArg = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A scene, a folder of scenes, or a catalog.")
]


def out_place(text: str) -> Place:
    """Return an output folder, or an address on an object store."""
    from geotoolz.io._object_path import place

    return place(text)


OutArg = Annotated[
    Path,
    typer.Argument(
        metavar="OUT", parser=out_place, help="The output folder, or s3://bucket/prefix (gs://, az://)."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A value for ${NAME} in the pipeline; may be repeated."),
]
AoiOption = Annotated[
    str | None,
    typer.Option(
        "--aoi",
        metavar="AREA",
        help="Only this area: WEST,SOUTH,EAST,NORTH in degrees (L,B,R,T@EPSG:… in another CRS), a vector "
        "file (file.gpkg:layer), GeoJSON, a tile (33TWL), or a scene of the catalog.",
    ),
]


def _pixel_size(value: float | None) -> float | None:
    """Refuse a pixel size that cannot be one, before anything is opened."""
    if value is not None and not 0 < value < math.inf:
        from geotoolz.core._errors import ParameterError

        raise ParameterError(f"--res {value:g}", expected="a pixel size above 0, in units of the CRS")
    return value


ResOption = Annotated[
    float | None,
    typer.Option(
        "--res", metavar="SIZE", callback=_pixel_size, help="Pixel size in units of the scene's CRS."
    ),
]
SignOption = Annotated[
    str | None,
    typer.Option(
        "--sign",
        metavar="NAME",
        help="Sign remote addresses: planetary-computer, a registered name, or module:function.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_NUMBER = r"\s*[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?\s*"
_VECTORS = (".gpkg", ".shp", ".geojson", ".json", ".parquet", ".fgb", ".kml", ".zip", ".txt")
_BOX = re.compile(rf"{_NUMBER}(?:,{_NUMBER}){{3}}")
# four things between commas are meant to be a box
_LISTED = re.compile(r"[^{},]*(?:,[^{},]*){3}")


def load_pipeline(name: str, sets: Sequence[str] | None = None) -> Operator:
    """Load a pipeline from a YAML file or a preset.

    Raises
    ------
    ConfigError
        For an unknown preset, a misspelt operator, or a ``--set`` that the pipeline has no place for.
    """
    from geotoolz.core import load
    from geotoolz.core._errors import GeotoolzError

    text, is_file = pipeline_text(name)
    values = _variables(sets or (), text, name)
    if is_file:
        return load(name, variables=values)
    try:
        return load(text, variables=values)
    except GeotoolzError as error:
        raise error.prefixed(f"preset {name}") from error


def pipeline_text(name: str) -> tuple[str, bool]:
    """Return a pipeline's YAML text, and whether it comes from a file."""
    from geotoolz.core._errors import ConfigError, ReadError, nearest
    from geotoolz.core._load import pipeline_file
    from geotoolz.core._presets import preset_names, preset_text

    presets = preset_names()
    if name in presets:
        return preset_text(name), False
    path = pipeline_file(name)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or path.exists():
        try:
            return path.read_text("utf-8"), True
        except OSError as error:
            raise ReadError(
                f"{path} cannot be read: {error.strerror}",
                expected="a YAML file with a pipeline",
                fix=f"or name a preset: {', '.join(presets)}",
            ) from error
        except UnicodeDecodeError as error:
            raise ReadError(f"{path} is no UTF-8 text", expected="a YAML file with a pipeline") from error
    raise ConfigError(
        f"there is no preset {name!r}{nearest(name, presets)}",
        expected=f"one of {', '.join(presets)}",
        fix="or give the path of a YAML file",
    )


def _variables(sets: Sequence[str], text: str, name: str) -> dict[str, str]:
    from geotoolz.core._presets import places_in

    values = set_values(sets)
    refuse_unplaced(values, places_in(text), f"{name} has")
    return values


def refuse_unplaced(values: Mapping[str, str], known: Collection[str], who: str, fix: str = "") -> None:
    """Refuse ``--set`` of what a text has no place ``${name}`` for; `who` ends in "has" or "have"."""
    from geotoolz.core._errors import ConfigError, nearest

    for key, value in values.items():
        if key not in known:
            places = ", ".join(f"${{{place}}}" for place in sorted(known)) or "no place to set"
            raise ConfigError(
                f"--set {key}={value}: {who} no ${{{key}}}{nearest(key, known)}", expected=places, fix=fix
            )


def set_values(sets: Sequence[str]) -> dict[str, str]:
    """Return the values of ``--set NAME=VALUE``, whatever places there are."""
    from geotoolz.core._errors import ParameterError

    values = {}
    for entry in sets:
        key, sign, value = entry.partition("=")
        if not sign or not key.strip():
            raise ParameterError(f"--set {entry}", expected="NAME=VALUE")
        values[key.strip()] = value
    return values


def parse_box(text: str, option: str) -> tuple[float, float, float, float]:
    """Return west, south, east, north of ``"w,s,e,n"``."""
    from geotoolz.core._errors import ParameterError

    if not _BOX.fullmatch(text):
        raise ParameterError(
            f"{option} {text!r}", expected="WEST,SOUTH,EAST,NORTH in degrees, such as 12.0,45.9,12.1,46.0"
        )
    west, south, east, north = (float(part) for part in text.split(","))
    return west, south, east, north


def parse_aoi(text: str | None, source: str | None = None) -> Any:
    """Return what ``--aoi`` means for `open_tile`: a box in degrees, GeoJSON of the outline, or None.

    Parameters
    ----------
    text : str or None
        As the user wrote it.
    source : str, optional
        A catalog or folder whose scenes' ids are understood too.
    """
    if text is None:
        return None
    from geotoolz.core._errors import GeotoolzError
    from geotoolz.io import Area

    bounds, _, crs = text.partition("@")
    try:
        if _LISTED.fullmatch(bounds) and not Path(text).exists():
            box = parse_box(bounds, "--aoi")
            area = Area.of(box, crs=crs.strip() or None)  # a box that cannot be is refused here, once
            return area.outline() if crs else box
        return Area.of(text, catalog=_ids_of(text, source)).outline()
    except GeotoolzError as error:
        # what is said of aoi= is said of --aoi when it is printed
        told = error if error.found.startswith(("--aoi", "aoi=")) else error.prefixed("--aoi")
        if told.fix.startswith("say what they are in"):
            told.fix = "say what they are in: --aoi LEFT,BOTTOM,RIGHT,TOP@EPSG:…"
        raise told from error


def _ids_of(text: str, source: str | None) -> Any:
    """Return the catalog of a source where an area may be the id of one of its scenes."""
    from geotoolz.io._mgrs import is_tile_id

    named = re.fullmatch(r"[\w.-]+", text) is not None and not Path(text).is_file()
    if source is None or not named or is_tile_id(text) or Path(text).suffix.lower() in _VECTORS:
        return None
    from geotoolz._cli._scenes import open_scenes

    return open_scenes(source).catalog


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """Return (i, n) of ``"I/N"``."""
    from geotoolz.core._errors import ParameterError

    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None:
        raise ParameterError(f"--shard {text}", expected="I/N with 1 ≤ I ≤ N, such as 3/16")
    return int(match[1]), int(match[2])
