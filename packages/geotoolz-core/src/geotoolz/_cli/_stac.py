"""``geotoolz catalog search`` and ``acquire``: scenes of a STAC API, and their files brought here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SignOption

HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="NAME=VALUE",
        help="Sent to the server's own host; ${VARIABLE} is taken from the environment. May be repeated.",
    ),
]


def search(
    url: Annotated[str, typer.Argument(metavar="URL", help="The landing page of a STAC API.")],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", metavar="ID", help="May be repeated.")
    ] = None,
    aoi: AoiOption = None,
    time: Annotated[
        str | None, typer.Option("--time", help="2023-08, 2023-08-20, or 2023-08-01/2023-08-31.")
    ] = None,
    filter: Annotated[
        str | None,
        typer.Option("--filter", metavar="CQL2", help="Asked of the server, such as 'eo:cloud_cover < 20'."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", help="Selected here, such as 'cloud_cover < 20'; any server will do."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="At most so many scenes.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The catalog.")] = Path(
        "catalog.parquet"
    ),
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="FOLDER", help="Keep the answer here, and use it again.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again although an answer is kept.")] = False,
    header: HeaderOption = None,
    sign: SignOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a STAC API for scenes and save them as a catalog.

    Example: geotoolz catalog search URL -c sentinel-2-l2a --aoi 33TWL --time 2023-08 -o found.parquet
    """
    from geotoolz._cli._catalog import print_summary
    from geotoolz._cli._console import say, told
    from geotoolz._cli._options import parse_aoi
    from geotoolz._cli._report_text import shown_path
    from geotoolz._cli._scenes import counted
    from geotoolz.catalog import search as ask

    found = ask(
        url,
        collection or None,
        parse_aoi(aoi),
        time,
        filter=filter,
        limit=limit,
        cache=cache,
        refresh=refresh,
        headers=headers_of(header),
        sign=sign,
    )
    for problem in found.problems:
        told(f"warning: {problem}")
    chosen = found if where is None else found.filter(where)
    written = chosen.save(out)
    if as_json:
        print_summary(chosen, True, catalog=str(written))
    else:
        left = f" ({len(found) - len(chosen)} left out by --where)" if where is not None else ""
        say(f"{shown_path(written)}: {counted(len(chosen), 'scene')}{left}")


def acquire(
    catalog: Annotated[str, typer.Argument(metavar="CATALOG", help="A catalog file, or what `build` takes.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Keeps the files, and catalog.parquet.")],
    aoi: AoiOption = None,
    bands: Annotated[
        str | None, typer.Option("--bands", metavar="A,B", help="Only these bands; by default those read.")
    ] = None,
    res: ResOption = None,
    sign: SignOption = None,
    header: HeaderOption = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Files at a time.")] = 4,
    max_gb: Annotated[
        float | None, typer.Option("--max-gb", metavar="GB", help="Bound on the folder's files.")
    ] = None,
    revalidate: Annotated[
        bool, typer.Option("--revalidate", help="Ask whether files have changed since they came.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a catalog's remote files, or the part over an area, into a folder; what is there stays.

    Example: geotoolz catalog acquire found.parquet scenes/ --aoi 14.9,45.9,15.1,46.1 --bands red,nir,scl
    """
    from geotoolz._cli._console import say, say_json, told
    from geotoolz._cli._options import parse_aoi
    from geotoolz._cli._report_text import shown_path
    from geotoolz._cli._scenes import counted, need_catalog
    from geotoolz.catalog import acquire as bring

    scenes = need_catalog(catalog)
    made = bring(
        scenes,
        folder,
        aoi=parse_aoi(aoi, catalog),
        bands=None if bands is None else tuple(name.strip() for name in bands.split(",") if name.strip()),
        resolution=res,
        sign=sign,
        headers=headers_of(header),
        workers=workers,
        max_bytes=None if max_gb is None else int(max_gb * 1e9),
        revalidate=revalidate,
    )
    new = made.catalog.problems[len(scenes.problems) :]
    for problem in new:
        told(f"warning: {problem}")
    if as_json:
        say_json(
            {
                "catalog": str(made.path),
                "scenes": len(made.catalog),
                "left_out": [problem.path for problem in new],
                "files": made.files,
                "fetched": made.fetched,
                "bytes": made.bytes,
            }
        )
    else:
        size = f"{made.fetched} of {counted(made.files, 'file')} fetched, {made.bytes / 1e6:.1f} MB"
        say(f"{shown_path(made.path)}: {counted(len(made.catalog), 'scene')}; {size}")
    if new:
        raise typer.Exit(3)  # as a batch run that finished with failed tiles


def headers_of(header: list[str] | None) -> Any:
    """Return ``--header`` as a mapping; secrets stand in the environment and not in the command's history.

    Raises
    ------
    ParameterError
        If one is no NAME=VALUE, or names a variable that is not set.
    """
    import os
    import re

    from geotoolz.core._errors import ParameterError

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise ParameterError(f"--header: ${{{match[1]}}} is not set", expected="an environment variable")
        return os.environ[match[1]]

    found = {}
    for entry in header or ():
        name, sign, value = entry.partition("=")
        if not sign or not name.strip():
            raise ParameterError("--header without a name", expected="NAME=VALUE")
        found[name.strip()] = re.sub(r"\$\{(\w+)\}", value_of, value)
    return found or None
