"""One operator on one scene: what the packages' own commands do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli._console import say, told

if TYPE_CHECKING:
    from geotoolz.core import Operator

SceneArg = Annotated[
    str, typer.Argument(metavar="SCENE", help="A raster, a product's folder, or a STAC item.")
]
TargetArg = Annotated[
    str,
    typer.Argument(
        metavar="OUT", help="A folder, or a path that ends in .tif and may hold {item_id} and {band}."
    ),
]


def apply_operator(
    op: Operator, scene: str, out: str, *, aoi: str | None, res: float | None
) -> tuple[str, ...]:
    """Read the bands that an operator needs, run it, and write what it made or changed as COGs.

    Parameters
    ----------
    op : Operator
        What to run.
    scene, out, aoi, res : str, str, str or None, float or None
        As the user wrote them.

    Returns
    -------
    tuple of str
        The files written; each is printed.
    """
    from geotoolz._cli._options import parse_aoi
    from geotoolz.core import Sequential, compile, run_detailed
    from geotoolz.io import WriteCOG, describe, open_tile

    path = out if out.lower().endswith((".tif", ".tiff")) else str(Path(out) / "{item_id}_{band}.tif")
    pipeline = Sequential([op, WriteCOG(path)])
    area = parse_aoi(aoi)
    where: dict[str, Any] = {"aoi": area, "resolution": res}
    spec = describe(scene, **where)
    program = compile(pipeline, spec)
    for note in program.notes:
        told(f"warning: {note.operator}: {note.text}")
    created = program.created
    tile = open_tile(scene, compile(pipeline, spec, created).inputs, **where)
    written = run_detailed(pipeline, tile).paths
    for file in written:
        say(file)
    return written


def split_names(text: str | None) -> tuple[str, ...] | None:
    """Return the names of a comma-separated list, None for None.

    Examples
    --------
    >>> split_names("cloud, shadow"), split_names(None)
    (('cloud', 'shadow'), None)
    """
    if text is None:
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip())
