"""``geotoolz catalog``: build, search, acquire, show, query; mosaic and stac of what a run made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from geotoolz._cli._main import group_app
from geotoolz._cli._options import JsonOption, out_place
from geotoolz._cli._products import mosaic, stac
from geotoolz._cli._stac import acquire, search

app = group_app("Catalogs of scenes: build, search, acquire, show, query; products: mosaic, stac.")

CatalogArg = Annotated[
    str, typer.Argument(metavar="CATALOG", help="A catalog file (.parquet), or whatever `build` takes.")
]


@app.command()
def build(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A folder of scenes, STAC items or catalog, a raster.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            parser=out_place,
            help="By default SOURCE's name with .parquet, here; s3://bucket/name.parquet too.",
        ),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", metavar="GLOB", help="Only files whose name or path matches.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build a catalog of the scenes below a folder, of STAC items, or of a static STAC catalog.

    Example: geotoolz catalog build scenes/ -o scenes.parquet
    """
    from geotoolz._cli._console import say, told
    from geotoolz._cli._report_text import shown_path
    from geotoolz._cli._scenes import counted
    from geotoolz.catalog import GeoCatalog

    target = out if out is not None else Path(f"{Path(source).resolve().stem}.parquet")
    catalog = GeoCatalog.build(source, pattern)
    for problem in catalog.problems:
        told(f"warning: {problem}")
    written = catalog.save(target)
    if as_json:
        print_summary(catalog, True, catalog=str(written))
    else:
        say(f"{shown_path(written)}: {counted(len(catalog), 'scene')}")


@app.command()
def show(catalog: CatalogArg, as_json: JsonOption = False) -> None:
    """Tell what a catalog holds.

    Example: geotoolz catalog show scenes.parquet
    """
    from geotoolz._cli._scenes import need_catalog

    print_summary(need_catalog(catalog), as_json)


@app.command()
def query(
    catalog: CatalogArg,
    bbox: Annotated[
        str | None, typer.Option("--bbox", metavar="W,S,E,N", help="Scenes that touch this box, in degrees.")
    ] = None,
    aoi: Annotated[
        str | None,
        typer.Option(
            "--aoi",
            metavar="AREA",
            help="Scenes that touch WEST,SOUTH,EAST,NORTH (degrees), a vector file, GeoJSON, a tile.",
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="2023-08, 2023-08-20, or 2023-08-01/2023-08-31.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", help="A condition, such as 'cloud_cover < 20 and platform = sentinel-2a'."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", parser=out_place, help="Save what was found."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the scenes of a place and time; with --out they become a catalog of their own.

    Example: geotoolz catalog query scenes.parquet --aoi 33TWL --time 2023-06/2023-08
    """
    from geotoolz._cli._console import say, say_json, table, told
    from geotoolz._cli._options import parse_aoi, parse_box
    from geotoolz._cli._report_text import shown_path
    from geotoolz._cli._scenes import counted, need_catalog

    everything = need_catalog(catalog)
    found = everything.query(bbox=parse_box(bbox, "--bbox") if bbox is not None else None, time=time)
    area = parse_aoi(aoi)
    if area is not None:
        found = found.query(**({"bbox": area} if isinstance(area, tuple) else {"geometry": area}))
    if where is not None:
        found = found.filter(where)
    rows = [_row(row) for row in found.iter_rows()]
    if as_json:
        say_json(rows)
    elif rows:
        shown = tuple(name for name in rows[0] if name != "source")
        table(shown, ([row[name] for name in shown] for row in rows))
    told(f"{len(found)} of {counted(len(everything), 'scene')}")
    if out is not None:
        written = found.save(out)
        if not as_json:
            say(f"{shown_path(written)}: {counted(len(found), 'scene')}")


app.command()(search)
app.command()(acquire)
app.command()(stac)
app.command()(mosaic)


def _row(row: Any) -> dict[str, Any]:
    """Return the columns that tell scenes apart."""
    moment = None if _absent(row.datetime) else row.datetime.strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {
        "id": row.id,
        "datetime": moment,
        "platform": row.platform,
        "level": row.processing_level,
        "epsg": row.epsg,
        "cloud_cover": row.cloud_cover,
        "source": row.source,
    }
    return {name: None if _absent(value) else value for name, value in values.items()}


def _absent(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def print_summary(rows: Any, as_json: bool, **more: Any) -> None:
    """Print what a catalog holds."""
    from geotoolz._cli._console import facts, say_json

    found = rows.summary()
    if as_json:
        say_json({**found, **more})
        return
    cover = found["cloud_cover"]
    box = found["bbox"]
    facts(
        (
            ("scenes", found["rows"]),
            ("platforms", _counts(found["platforms"])),
            ("levels", _counts(found["levels"])),
            ("epsg", _counts(found["epsg"])),
            ("kinds", _counts(found["kinds"])),
            ("collections", _counts(found["collections"])),
            ("first", found["first"]),
            ("last", found["last"]),
            ("days", found["days"]),
            ("undated", found["undated"] or None),
            ("bbox", ", ".join(f"{value:.6g}" for value in box) if box else None),
            ("cloud cover", f"{cover[0]:g} … {cover[2]:g} %, median {cover[1]:g} %" if cover else None),
            ("problems", found["problems"] or None),
        )
    )


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{value} ({count})" for value, count in found.items())
