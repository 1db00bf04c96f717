"""BlockID: which square block of ground a pixel lies in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Call, Extent, Map, ParameterError, Plan, QuantityError, TileSpec, VarSpec, verb
from geotoolz.learn._block_grid import block_indices, check_block_size, encode

if TYPE_CHECKING:
    from affine import Affine
    from odc.geo.crs import CRS

Array = np.ndarray[Any, Any]
_kept = threading.local()  # a transformer belongs to one thread


class BlockID(Map):
    """Number the square block of ground that each pixel's centre lies in.

    Blocks are squares of the tile's reference system, or of `crs`, and begin at its origin: any crop, any
    cut and any scene on that reference system numbers a place alike. Adds one int64 variable ``(y, x)``,
    which the cross-validation takes as groups: pixels of one block never stand on both sides of a split.

    Parameters
    ----------
    block_size_m : float
        Side of a block in metres. Several times the distance over which the target is alike.
    name : str
        Name of the new variable.
    crs : str, optional
        Reference system of the blocks, where the scenes have several: ``"EPSG:6933"`` (equal area, the whole
        earth). By default that of the tile.

    Returns
    -------
    xarray.Dataset
        With the variable `name`: int64, −1 where `crs` does not reach. Reads no variable.

    Raises
    ------
    MissingCRSError
        If the tile has no reference system.
    QuantityError
        If the blocks' reference system counts in degrees.
    ParameterError
        If the size is not positive or so small that blocks cannot be numbered, or `crs` is unknown.

    References
    ----------
    Roberts, D. R., Bahn, V., Ciuti, S. et al. (2017). Cross-validation strategies for data with temporal,
    spatial, hierarchical, or phylogenetic structure. Ecography 40, 913–929.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import BlockID
    >>> tile = BlockID(200.0)(simulate_scene((40, 40), bands=("red",)))
    >>> tile.block_id.dtype, len(set(tile.block_id.values.ravel().tolist())) >= 4
    (dtype('int64'), True)
    """

    block_size_m: float
    name: str = "block_id"
    crs: str | None = None

    def validate(self) -> None:
        """Check size and name."""
        check_block_size(self.block_size_m)
        if not self.name:
            raise ParameterError("name is empty", expected="a name of the new variable")

    def plan(self, tile: TileSpec) -> Plan:
        """Write the ids; nothing is read."""
        box = tile.require_geobox("BlockID")
        own: Any = box.crs
        target = own if self.crs is None else _parsed(self.crs)
        size = self.block_size_m / _metres_per_unit(target)
        warp = None if target == own else (own.to_wkt(), target.to_wkt())
        _require_numbers(box.affine, tile, size, warp)
        attrs = {
            "long_name": f"spatial block of {self.block_size_m:g} m",
            "units": "1",
            "quantity": "flags",
            "block_size_m": self.block_size_m,
            "block_crs": f"EPSG:{target.epsg}" if target.epsg else str(target),
        }
        call = Call((), (self.name,), _number, (box.affine, size, warp), located=True)
        return Plan(writes={self.name: VarSpec(("y", "x"), np.dtype(np.int64), -1, attrs)}, calls=(call,))


compute_block_id = verb(BlockID, "compute_block_id")


def _parsed(text: str) -> CRS:
    from odc.geo.crs import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS(text)
    except (CRSError, ValueError) as error:
        raise ParameterError(
            f"crs={text!r} is no reference system", expected="such as 'EPSG:6933'"
        ) from error


def _metres_per_unit(crs: Any) -> float:
    if not crs.projected:
        raise QuantityError(
            f"blocks are squares in metres, and {f'EPSG:{crs.epsg}' if crs.epsg else crs} counts in degrees",
            expected="a projected reference system",
            fix="BlockID(…, crs='EPSG:6933') numbers blocks of equal area on the whole earth",
        )
    axes = crs.proj.axis_info
    return float(axes[0].unit_conversion_factor) if axes else 1.0


def _require_numbers(affine: Affine, tile: TileSpec, size: float, warp: tuple[str, str] | None) -> None:
    """Number the corners, so that blocks that are too small are refused before any pixel."""
    (y0, x0), (height, width) = tile.offset, tile.shape
    for row in (y0, y0 + max(height - 1, 0)):
        for col in (x0, x0 + max(width - 1, 0)):
            _number(affine, size, warp, extent=Extent(row, row + 1, col, col + 1))


def _number(affine: Affine, size: float, warp: tuple[str, str] | None, *, extent: Extent) -> Array:
    """Return the ids of some pixels of a lattice; each depends on its own row and column alone."""
    cols = np.arange(extent.x0, extent.x1, dtype=np.float64) + 0.5
    rows = np.arange(extent.y0, extent.y1, dtype=np.float64) + 0.5
    if warp is None:  # tiles are never rotated
        north, east = affine.f + affine.e * rows, affine.c + affine.a * cols
        down, right = block_indices(north, size)[:, None], block_indices(east, size)[None, :]
        return encode(*np.broadcast_arrays(down, right))
    x, y = np.broadcast_arrays((affine.c + affine.a * cols)[None, :], (affine.f + affine.e * rows)[:, None])
    east, north = _transformer(*warp).transform(x.ravel(), y.ravel())
    return encode(block_indices(north, size), block_indices(east, size)).reshape(x.shape)


def _transformer(source: str, target: str) -> Any:
    from pyproj import Transformer

    held: dict[tuple[str, str], Any] = _kept.__dict__.setdefault("made", {})
    if (source, target) not in held:
        held[source, target] = Transformer.from_crs(source, target, always_xy=True)
    return held[source, target]
