"""``geotoolz indices``, also installed as ``geotoolz-indices``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from geotoolz._cli import group_app, run_app
from geotoolz._cli._apply import SceneArg, TargetArg, apply_operator
from geotoolz._cli._options import AoiOption, ResOption

if TYPE_CHECKING:
    from geotoolz.core import Operator

app = group_app("Spectral indices that find their bands by role.")

IndexArg = Annotated[
    str,
    typer.Argument(
        metavar="INDEX", help="ndvi, ndwi, or two bands: nir/swir16 is (nir − swir16) / (nir + swir16)."
    ),
]


@app.command()
def compute(
    index: IndexArg,
    scene: SceneArg,
    out: TargetArg,
    name: Annotated[str | None, typer.Option("--name", help="Name of the new variable.")] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
) -> None:
    """Compute an index of a scene and write it as a COG; prints the file.

    Clouds are not masked: `geotoolz run ndvi` does that, for one scene or thousands.
    """
    apply_operator(_operator(index, name), scene, out, aoi=aoi, res=res)


def _operator(index: str, name: str | None) -> Operator:
    """Return the operator of an index as the user wrote it."""
    from geotoolz.core import ParameterError, nearest
    from geotoolz.indices import NDVI, NDWI, NormalizedDifference

    first, slash, second = index.partition("/")
    if slash and first and second:
        return NormalizedDifference(first, second, name or "nd")
    known: dict[str, type[NDVI] | type[NDWI]] = {"ndvi": NDVI, "ndwi": NDWI}
    cls = known.get(index.lower())
    if cls is None:
        raise ParameterError(
            f"index {index!r}{nearest(index.lower(), known)}", expected="ndvi, ndwi, or two bands: nir/swir16"
        )
    return cls(name=name) if name else cls()


@app.command("list")
def list_() -> None:
    """List the indices that have a name."""
    from geotoolz._cli._console import table
    from geotoolz.indices import NDVI, NDWI

    table(("index", "what it is"), ((cls().name, (cls.__doc__ or "").split("\n")[0]) for cls in (NDVI, NDWI)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``geotoolz-indices`` and return the exit code."""
    return run_app(app, "geotoolz-indices", argv)
