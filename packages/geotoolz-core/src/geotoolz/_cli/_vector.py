"""``geotoolz vector``: tables from rasters and rasters from tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, split_names
from geotoolz._cli._options import ResOption, SetOption, SourceArg

if TYPE_CHECKING:
    from geotoolz.core import Operator

app = group_app("Zonal statistics, series at points, polygons and training samples.")

TableArg = Annotated[
    Path, typer.Argument(metavar="OUT", help="A .parquet, .gpkg, .geojson, .shp or .csv file.")
]
ZonesArg = Annotated[
    str, typer.Argument(metavar="ZONES", help="Polygons: a vector file (file.gpkg:layer), GeoJSON, a tile.")
]
BandsOption = Annotated[
    str | None, typer.Option("--bands", metavar="NAMES", help="Variables or roles: red,nir.")
]
PipelineOption = Annotated[
    str | None,
    typer.Option(
        "--pipeline", metavar="PIPELINE", help="See the scene through a pipeline: YAML or a preset."
    ),
]
ColumnsOption = Annotated[
    str | None, typer.Option("--columns", metavar="NAMES", help="Columns of the features to take along.")
]
TouchedOption = Annotated[
    bool,
    typer.Option("--all-touched", help="Every pixel that is touched, not only centres that are covered."),
]


@app.command()
def zonal(
    source: SourceArg,
    zones: ZonesArg,
    out: TableArg,
    stats: Annotated[
        str, typer.Option("--stats", metavar="NAMES", help="mean,count,median,quantile(q=0.9),majority,…")
    ] = "mean,count",
    bands: BandsOption = None,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="NAME", help="Variable for weighted_mean and its like.")
    ] = None,
    columns: ColumnsOption = None,
    pipeline: PipelineOption = None,
    set_: SetOption = None,
    res: ResOption = None,
) -> None:
    """Write statistics of zones: a row per zone and scene, partial pixels by their share.

    Example: geotoolz vector zonal scene/ fields.gpkg means.parquet --stats mean,count --pipeline ndvi
    """
    from geotoolz.vector import zonal_statistics

    table = zonal_statistics(
        _source(source),
        zones,
        re.findall(r"[^,()]+(?:\([^)]*\))?", stats),
        split_names(bands),
        op=_operator(pipeline, set_),
        weights=weights,
        include_cols=split_names(columns),
        read=_read(res),
    )
    _written(table, out)


@app.command()
def points(
    source: SourceArg,
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="A vector file, or a CSV with longitude and latitude.")
    ],
    out: TableArg,
    bands: BandsOption = None,
    columns: ColumnsOption = None,
    pipeline: PipelineOption = None,
    set_: SetOption = None,
    res: ResOption = None,
) -> None:
    """Write the values at points: a row per point and scene; only windows around the points are read.

    Example: geotoolz vector points scene/ stations.gpkg values.parquet --bands red,nir
    """
    from geotoolz.vector import point_series

    table = point_series(
        _source(source),
        points,
        _operator(pipeline, set_),
        split_names(bands),
        include_cols=split_names(columns),
        read=_read(res),
    )
    _written(table, out)


@app.command()
def sample(
    source: SourceArg,
    samples: Annotated[str, typer.Argument(metavar="SAMPLES", help="Polygons or points with a class.")],
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The column that holds the class.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A .parquet or .csv file.")],
    bands: BandsOption = None,
    all_touched: TouchedOption = False,
    pipeline: PipelineOption = None,
    set_: SetOption = None,
    res: ResOption = None,
) -> None:
    """Write training samples: a row per pixel, with its class and its polygon as group.

    Example: geotoolz vector sample scenes/ fields.gpkg crop table.parquet --bands red,nir
    """
    from geotoolz.vector import sample_training

    table = sample_training(
        _source(source),
        samples,
        label,
        op=_operator(pipeline, set_),
        bands=split_names(bands),
        all_touched=all_touched,
        read=_read(res),
    )
    _written(table, out)


@app.command()
def rasterize(
    features: Annotated[str, typer.Argument(metavar="FEATURES", help="A vector file, GeoJSON, a tile.")],
    like: Annotated[str, typer.Argument(metavar="LIKE", help="A scene whose grid is taken.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A .tif file.")],
    column: Annotated[str | None, typer.Option("--column", help="Column with the class.")] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the variable.")] = "label",
    all_touched: TouchedOption = False,
) -> None:
    """Burn features into a raster on the grid of a scene.

    Example: geotoolz vector rasterize fields.gpkg scene/ fields.tif --column crop
    """
    from geotoolz._cli._console import say
    from geotoolz.core import ParameterError
    from geotoolz.io import write_tile
    from geotoolz.vector import rasterize as burn

    if out.suffix.lower() not in (".tif", ".tiff"):
        raise ParameterError(f"OUT {out}", expected="a .tif file")
    tile = burn(features, like, column, name=name, all_touched=all_touched)
    for path in write_tile(tile, out, name):
        say(path)


@app.command()
def vectorize(
    scene: SceneArg,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A .parquet, .gpkg or .geojson file.")],
    band: Annotated[str | None, typer.Option("--band", metavar="NAME", help="The classes.")] = None,
    connectivity: Annotated[
        int, typer.Option("--connectivity", help="8: pixels that meet in a corner are connected; or 4.")
    ] = 4,
    min_area: Annotated[
        float, typer.Option("--min-area", metavar="M2", help="Leave smaller areas out.")
    ] = 0.0,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="A,B,…", help="Only these classes: values or names.")
    ] = None,
    statistic: Annotated[
        list[str] | None,
        typer.Option("--statistic", metavar="NAME=STAT", help="ndvi=mean; may be repeated."),
    ] = None,
) -> None:
    """Write the connected areas of a class raster as polygons with their areas.

    Example: geotoolz vector vectorize crops.tif crops.gpkg --min-area 1000
    """
    from geotoolz.core import ParameterError
    from geotoolz.vector import vectorize as traced

    wanted: dict[str, list[str]] = {}
    for entry in statistic or ():
        variable, sign, what = entry.partition("=")
        if not (variable and sign and what):
            raise ParameterError(f"--statistic {entry}", expected="NAME=STAT, such as ndvi=mean")
        wanted.setdefault(variable, []).append(what)
    options: Any = {"connectivity": connectivity, "min_area": min_area, "statistics": wanted}
    if classes is not None:
        names = split_names(classes) or ()
        options["classes"] = [int(name) if name.lstrip("-").isdecimal() else name for name in names]
    _written(traced(scene, band, **options), out)


def _source(source: str) -> Any:
    """Return a scene as it is, and a folder of scenes or a catalog as a catalog."""
    from geotoolz._cli._scenes import open_scenes

    if Path(source).suffix.lower() in (".tif", ".tiff", ".jp2", ".vrt"):
        return source
    scenes = open_scenes(source)
    return scenes.catalog if scenes.catalog is not None else source


def _operator(pipeline: str | None, sets: Sequence[str] | None) -> Operator | None:
    from geotoolz._cli._options import load_pipeline
    from geotoolz.core import ParameterError

    if pipeline is None and sets:
        raise ParameterError(f"--set {sets[0]} without --pipeline", expected="a pipeline with that place")
    return None if pipeline is None else load_pipeline(pipeline, sets)


def _read(res: float | None) -> dict[str, Any]:
    return {} if res is None else {"resolution": res}


def _written(table: Any, out: Path) -> None:
    """Write a table in the format of its name, and say what it holds."""
    from geotoolz._cli._console import say
    from geotoolz._cli._scenes import counted
    from geotoolz.core import ParameterError, WriteError

    kind, located = out.suffix.lower(), hasattr(table, "geometry")
    vector = (".gpkg", ".geojson", ".json", ".shp", ".fgb")
    if kind not in (".parquet", ".geoparquet", ".csv", *(vector if located else ())):
        raise ParameterError(
            f"OUT {out}",
            expected="a .parquet, .csv" + (", .gpkg, .geojson or .shp file" if located else " file"),
        )
    try:
        if kind in (".parquet", ".geoparquet"):
            table.to_parquet(out, index=False)
        elif kind == ".csv":
            _plain(table, located).to_csv(out, index=False)
        else:
            table.to_file(out)
    except (OSError, RuntimeError, ValueError, TypeError) as error:  # pyogrio's and pyarrow's own
        raise WriteError(
            f"{out} cannot be written: {error}", expected="a file in a folder that exists"
        ) from error
    say(f"{out}: {counted(len(table), 'row')}")


def _plain(table: Any, located: bool) -> Any:
    """Return a table for CSV: geometries as well-known text."""
    import pandas as pd

    return pd.DataFrame(table).assign(geometry=table.geometry.to_wkt()) if located else table


def main(argv: Sequence[str] | None = None) -> int:
    """Run the group alone and return the exit code."""
    return run_app(app, "geotoolz-vector", argv)
