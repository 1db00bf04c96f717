"""``geotoolz catalog stac`` and ``mosaic``: what others open the products of a run with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geotoolz._cli._options import JsonOption


def stac(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The output folder of a run.")],
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="For people.")] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="For people.")
    ] = None,
    license: Annotated[str, typer.Option("--license", metavar="SPDX", help="Such as CC-BY-4.0.")] = "other",
    as_json: JsonOption = False,
) -> None:
    """Write the STAC collection of a run's items: collection.json beside items/.

    Example: geotoolz catalog stac out/ --title 'NDVI of 2023'
    """
    from geotoolz._cli._console import say, say_json, told
    from geotoolz._cli._report_text import shown_path
    from geotoolz._cli._scenes import counted
    from geotoolz.batch import write_collection

    made = write_collection(out, title=title, description=description, license=license)
    for name in made.left_out:
        told(f"warning: {name} has no time, which STAC demands; it is left out")
    if as_json:
        say_json({"collection": str(made.path), "items": made.items, "left_out": list(made.left_out)})
    else:
        say(f"{shown_path(made.path)}: {counted(made.items, 'item')}")


def mosaic(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A catalog (.parquet), or a folder: the items of a run.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help=".vrt (names the files), or .tif (one COG).")],
    bands: Annotated[
        str | None, typer.Option("--bands", metavar="A,B", help="Only these bands; all by default.")
    ] = None,
    style: Annotated[
        str, typer.Option("--style", metavar="NAME", help="auto, none, or a colour map, for QGIS.")
    ] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Lay the rasters of a catalog side by side as one; nothing is resampled.

    Example: geotoolz catalog mosaic out/ ndvi.vrt --bands ndvi
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz._cli._report_text import shown_path
    from geotoolz._cli._scenes import counted, need_catalog
    from geotoolz.catalog import build_mosaic

    wanted = None if bands is None else tuple(name.strip() for name in bands.split(",") if name.strip())
    made = build_mosaic(need_catalog(source), out, bands=wanted, style=None if style == "none" else style)
    rows, cols = made.shape
    if as_json:
        say_json({"path": str(made.path), "bands": made.bands, "shape": made.shape, "files": made.files})
    else:
        size = f"{rows} × {cols} pixels, {counted(made.files, 'file')}"
        say(f"{shown_path(made.path)}: {', '.join(made.bands)}, {size}")
