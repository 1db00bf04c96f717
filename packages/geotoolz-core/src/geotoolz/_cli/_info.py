"""``geotoolz info``: what is at a path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz._cli._options import AoiOption, JsonOption, SignOption, SourceArg

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.core import TileSpec


def info(
    source: SourceArg, aoi: AoiOption = None, sign: SignOption = None, as_json: JsonOption = False
) -> None:
    """Describe a scene, a folder of scenes or a catalog, without reading pixels.

    Example: geotoolz info scenes/S2B_33TWL_20230820
    """
    from geotoolz._cli._catalog import print_summary
    from geotoolz._cli._console import say, say_json
    from geotoolz._cli._options import parse_aoi
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.io import describe
    from geotoolz.io._readers import reader_for

    area = parse_aoi(aoi, source)
    if Path(source).suffix.lower() in (".tif", ".tiff", ".jp2", ".vrt") or reader_for(Path(source)):
        name, spec = "", describe(source, aoi=area, sign=sign)
    else:
        scenes = open_scenes(source, area)
        if len(scenes) != 1:
            print_summary(scenes.rows, as_json)
            return
        name, where = next(iter(scenes.sources()))
        spec = describe(where, aoi=area, sign=sign)
    found = _facts(spec, name)
    if as_json:
        say_json(found)
        return
    _print(found)
    if "metadata_notes" in spec.attrs:
        say(f"note: {spec.attrs['metadata_notes']}")


def _facts(spec: TileSpec, name: str) -> dict[str, Any]:
    """Return a description as plain values."""
    box = spec.geobox
    attrs = {key: value for key, value in spec.attrs.items() if isinstance(value, str | int | float)}
    found: dict[str, Any] = {"tile_id": name or attrs.pop("tile_id", ""), "attrs": attrs}
    attrs.pop("tile_id", None)
    if box is not None:
        found["grid"] = {
            "crs": str(box.crs),
            "rows": int(box.shape[0]),
            "columns": int(box.shape[1]),
            "resolution": [abs(float(box.affine.a)), abs(float(box.affine.e))],
            "bounds": [float(value) for value in box.boundingbox.bbox],
        }
        lonlat = _lonlat(box)
        if lonlat is not None:
            found["grid"]["bounds_lonlat"] = lonlat
    found["variables"] = {
        key: {
            "dtype": str(var.dtype),
            "nodata": var.nodata,
            "quantity": var.quantity,
            "long_name": var.attrs.get("long_name"),
        }
        for key, var in spec.variables.items()
    }
    return found


def _lonlat(box: GeoBox) -> list[float] | None:
    """Return west, south, east, north in degrees, as --aoi takes them; None for a grid that is in degrees.

    West > east across the antimeridian.
    """
    from geotoolz.core._errors import OutsideError
    from geotoolz.io import Area

    if box.crs is None or box.crs.epsg == 4326:
        return None
    try:
        west, south, east, north = Area.of(box).in_crs("EPSG:4326").bounds
    except OutsideError:  # a grid that runs beyond its reference system
        return None
    turned = (west + 360.0 if west < -180.0 else west, south, east - 360.0 if east > 180.0 else east, north)
    return [round(value, 6) for value in turned]


def _print(found: dict[str, Any]) -> None:
    from geotoolz._cli._console import facts, table

    attrs = {key: value for key, value in found["attrs"].items() if key != "metadata_notes"}
    grid = found.get("grid")
    pairs: list[tuple[str, object]] = [("tile", found["tile_id"]), *attrs.items()]
    if grid:
        x, y = grid["resolution"]
        pairs += [
            ("crs", grid["crs"]),
            ("grid", f"{grid['rows']} × {grid['columns']} pixels of {x:g} × {y:g}"),
            ("bounds", ", ".join(f"{value:.10g}" for value in grid["bounds"])),
        ]
        if "bounds_lonlat" in grid:  # without blanks: as --aoi takes it
            pairs.append(("lon, lat", ",".join(f"{value:.6f}" for value in grid["bounds_lonlat"])))
    facts(pairs)
    table(
        ("variable", "dtype", "no-data", "quantity", "name"),
        (
            (key, var["dtype"], var["nodata"], var["quantity"], var["long_name"])
            for key, var in found["variables"].items()
        ),
    )
