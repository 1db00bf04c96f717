"""What a pipeline that ends with a picture was painted from: its band, and its legend."""

from __future__ import annotations

from typing import Any

from geotoolz.core import Operator, Sequential, TileSpec, compile
from geotoolz.viz import CategoricalColormap, Colormap, FalseColor, TrueColor


def painted(op: Operator, tile: TileSpec) -> tuple[list[str] | None, dict[str, Any] | None]:
    """Return the variables that were painted, and the picture's legend.

    Parameters
    ----------
    op : Operator
        A pipeline that `check` accepts on the tile.
    tile : TileSpec
        What it runs on.

    Returns
    -------
    measured : list of str or None
        None if the last step is no picture; empty for composites, whose bands are the tile's own.
    legend : dict or None
        As `geotoolz.viz` writes it; None where it depends on the pixels.

    Examples
    --------
    >>> from geotoolz.core import TileSpec
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import Colormap
    >>> tile = TileSpec.of(simulate_scene((8, 8), raw=False))
    >>> measured, legend = painted(Colormap("red", vmin=0.0, vmax=1.0), tile)
    >>> measured, legend["vmax"], len(legend["colors"])
    (['red'], 1.0, 256)
    """
    steps = op.operators if isinstance(op, Sequential) else (op,)
    last = steps[-1] if steps else None
    if isinstance(last, TrueColor | FalseColor):
        return [], None
    if not isinstance(last, Colormap | CategoricalColormap):
        return None, None
    before = compile(Sequential(steps[:-1]), tile).output
    known = isinstance(last, CategoricalColormap) or last.is_frozen
    return [before.find(last.band, type(last).__name__)], last.legend(before).to_dict() if known else None
