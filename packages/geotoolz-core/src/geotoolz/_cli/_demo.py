"""``geotoolz demo``: from scenes to a report, with everything that is said on the way being real."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geotoolz._cli import _demo_serve

if TYPE_CHECKING:
    from geotoolz._cli._demo_scenes import DemoFolder, Made
    from geotoolz.batch import BatchReport
    from geotoolz.catalog import GeoCatalog

_FOLDER = "geotoolz-demo"


def demo(
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="NAME", help="ray, process, inline; by default Ray where geotoolz-nextgen is."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="By default the CPUs of this process.")
    ] = None,
    size: Annotated[
        int, typer.Option("--size", metavar="N", min=64, help="Rows and columns of a scene.")
    ] = 1024,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete an earlier demo and begin anew.")] = False,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Then show the results on a map, until Ctrl-C; needs geotoolz-serve."),
    ] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Of the map; 0 takes a free one.")
    ] = 8000,
) -> None:
    """See the whole thing work: twelve simulated scenes, a catalog, a pipeline, a report.

    Works in ./geotoolz-demo. One scene is broken on purpose. A second call finds nothing to do.

    Example: geotoolz demo --engine process --serve
    """
    from geotoolz._cli._console import say
    from geotoolz._cli._demo_scenes import DemoFolder, delete, make_scenes

    _need_operators()
    if serve:
        _demo_serve.serve_command()  # told before the first scene is made
    chosen = _engine(engine)
    folder = DemoFolder(Path(_FOLDER))
    if fresh:
        delete(folder)
    begun = time.monotonic()
    made = make_scenes(folder, size)
    _tell_scenes(folder, made, time.monotonic() - begun)
    catalog = _catalog(folder, made)
    _pipeline(folder, made)
    _check(folder, catalog)
    report = _run(folder, catalog, chosen, workers)
    _tell_result(folder, made, report)
    say()
    _tell_next(folder, made, report)
    unexpected = [row for row in report.failed if row.tile_id != made.broken]
    if unexpected or report.stopped is not None:
        raise typer.Exit(int(report.exit_code))
    if serve:
        failed = {row.tile_id for row in report.failed}
        _demo_serve.serve(folder, [name for name in made.names if name not in failed], port)


def _need_operators() -> None:
    from geotoolz.core._errors import MissingDependencyError

    absent = [name for name in ("cloud", "indices") if find_spec(f"geotoolz.{name}") is None]
    if absent:
        dists = " ".join(f"geotoolz-{name}" for name in absent)
        raise MissingDependencyError(
            f"the demo's pipeline needs {dists.replace(' ', ' and ')}",
            fix=f"pip install {dists}, or geotoolz-nextgen for everything with Ray",
        )


def _engine(asked: str | None) -> str:
    """Return the engine; asked for by name it has to be there before the first scene is made."""
    from geotoolz._cli._console import told
    from geotoolz.batch import engine_names, get_engine

    if asked is not None:
        get_engine(asked)
        return asked
    if "ray" in engine_names():
        return "ray"
    told(
        "geotoolz-nextgen is not installed: the scenes are processed by processes of this machine, not on Ray"
    )
    return "process"


def _head(number: int, title: str, text: str) -> None:
    from geotoolz._cli._console import say

    say(f"{number}  {title:<9} {text}")


def _more(text: str) -> None:
    from geotoolz._cli._console import say

    say(f"{'':13}{text}")


def _tell_scenes(folder: DemoFolder, made: Made, seconds: float) -> None:
    from geotoolz._cli._demo_scenes import BROKEN_FILE, LEFT

    how = f"simulated in {seconds:.0f} s" if made.fresh else "simulated by an earlier demo"
    _head(1, "scenes", f"{folder.scenes}: {len(made.names)} Sentinel-2 L2A scenes in UTM 32N and 33N, {how}")
    if made.fresh:
        _more(f"broken on purpose: {made.broken}/{BROKEN_FILE} ends after {LEFT:.0%} of its bytes")


def _catalog(folder: DemoFolder, made: Made) -> GeoCatalog:
    from geotoolz.catalog import GeoCatalog

    catalog = None if made.fresh or not folder.catalog.exists() else GeoCatalog.open(folder.catalog)
    if catalog is None or catalog.problems:  # with problems again: the scene may be repaired
        catalog = GeoCatalog.open(GeoCatalog.from_folder(folder.scenes).save(folder.catalog))
    found = catalog.summary()
    days = f"{found['first'][:10]} … {found['last'][:10]}"
    _head(2, "catalog", f"{folder.catalog}: {found['rows']} scenes, {', '.join(found['platforms'])}, {days}")
    for problem in catalog.problems if made.fresh else ():
        _more(f"noticed: {problem}")
    return catalog


def _pipeline(folder: DemoFolder, made: Made) -> None:
    from geotoolz.core import load
    from geotoolz.core._presets import preset_text

    if not folder.pipeline.exists():
        folder.pipeline.write_text(preset_text("ndvi"), "utf-8")
    _head(3, "pipeline", f"{folder.pipeline}, hash {load(folder.pipeline).config_hash()[:12]}…")
    for line in folder.pipeline.read_text("utf-8").splitlines() if made.fresh else ():
        _more(f"│ {line}")


def _check(folder: DemoFolder, catalog: GeoCatalog) -> None:
    from geotoolz._cli._findings import examine, lines
    from geotoolz._cli._scenes import Scenes
    from geotoolz.core import load

    scenes = Scenes(catalog)
    found = lines(examine(load(folder.pipeline), scenes.sources(), {}), len(scenes))
    verdict = "no errors, no warnings" if not found else "see below"
    _head(4, "check", f"bands, grids, units, order of the steps, without reading a pixel: {verdict}")
    for line in found:
        _more(line)


def _run(folder: DemoFolder, catalog: GeoCatalog, engine: str, workers: int | None) -> BatchReport:
    from geotoolz.batch import CatalogPipeline

    job = CatalogPipeline(
        catalog, folder.pipeline, folder.out, engine=engine, n_workers=workers, max_failures=1
    )
    todo = len(job.plan().todo)
    where = {"ray": "on Ray", "process": "in processes of this machine", "inline": "in this process"}
    idle = ", Ray is not started" if engine == "ray" else ""
    told = f"nothing to do{idle}: every scene is done with this pipeline, or known to be broken"
    if todo:
        told = f"{todo} of {len(catalog)} scenes to do, {where.get(engine, engine)} …"
    _head(5, "run", told)
    return job.run()


def _tell_result(folder: DemoFolder, made: Made, report: BatchReport) -> None:
    from geotoolz._cli._report_text import clipped

    if report.engine != "none":
        _more(str(report))
    for row in report.failed:
        expected = " (as expected)" if row.tile_id == made.broken else ""
        _more(f"{row.status}{expected}: {row.tile_id}: {clipped(f'{row.error}: {row.message}')}")
    files = [name for row in report.rows for name in row.outputs]
    images = sum(name.endswith(".tif") for name in files)
    _head(6, "results", f"{folder.out}: {images} COGs with a STAC item, and a style for QGIS (.qml), each")
    _more(f"report with pictures: {folder.out / 'report.html'}")


def _tell_next(folder: DemoFolder, made: Made, report: BatchReport) -> None:
    """Print commands that work as they stand."""
    from geotoolz._cli._console import say
    from geotoolz._cli._demo_scenes import BROKEN_FILE

    prefix = "uv run " if "UV_RUN_RECURSION_DEPTH" in os.environ else ""
    call = f"{prefix}geotoolz"
    say("What next:")
    steps = [("do it again: nothing to do", f"{call} demo")] if report.engine != "none" else []
    if any(row.tile_id == made.broken for row in report.failed):
        repair = (
            f"cp {folder.intact / BROKEN_FILE} {folder.scenes / made.broken / BROKEN_FILE} && {call} demo"
        )
        steps.append(("repair the scene: only this one is done", repair))
    steps += [
        ("the report as text", f"{call} report {folder.out}"),
        ("one output", f"{call} info {folder.out / f'{made.names[0]}_ndvi.tif'}"),
        ("open water instead", f"{call} run ndwi {folder.catalog} {folder.root / 'ndwi'} --max-failures 1"),
        ("your own scenes", f"{call} run ndvi FOLDER_WITH_SCENES OUTPUT_FOLDER"),
    ]
    width = max(len(title) for title, _ in steps)
    for title, command in steps:
        say(f"  {title:<{width}}  {command}")
