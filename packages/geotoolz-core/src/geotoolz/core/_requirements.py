"""What a pipeline needs of a tile, before it is known which tile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from geotoolz.core._compile import compile
from geotoolz.core._footprint import Footprint
from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator
from geotoolz.core._specs import TileSpec


@dataclass(frozen=True, slots=True)
class Requirements:
    """What must be read, and how far around a pixel.

    Attributes
    ----------
    reads : tuple of str
        Variables that lead to an output.
    footprint : Footprint
        The largest reach of an output into an input, and the common alignment.
    writes : tuple of str
        Variables that are created (or changed, if none is).
    """

    reads: tuple[str, ...]
    footprint: Footprint
    writes: tuple[str, ...]


def requirements(
    op: Operator, tile: xr.Dataset | TileSpec, *, outputs: Iterable[str] | None = None
) -> Requirements:
    """Return what a pipeline reads and how far it looks, for a tile of this kind.

    A `Switch` whose attribute the tile does not have counts with all its cases: the reads are
    those of any case, the reach is the largest, the alignment the least common multiple.

    Parameters
    ----------
    op : Operator
        The pipeline.
    tile : xarray.Dataset or TileSpec
        The tile, or its description.
    outputs : iterable of str, optional
        The variables that are needed; by default those that the pipeline creates.

    Returns
    -------
    Requirements

    Examples
    --------
    >>> from geotoolz.core import Sequential, requirements
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.radiometry import BoxMean
    >>> needs = requirements(Sequential([BoxMean(2, ("red",)), BoxMean(1, ("red",))]), contract_tile())
    >>> needs.reads, needs.footprint.y
    (('red',), 3)
    """
    spec = tile if isinstance(tile, TileSpec) else TileSpec.of(tile)
    wanted = tuple(outputs) if outputs is not None else compile(op, spec, explore=True).created
    program = compile(op, spec, wanted, explore=True)
    return Requirements(program.inputs, program.footprint, wanted)
