"""Fewer pixels with more looks."""

from __future__ import annotations

from geotoolz.core import Call, Map, ParameterError, Plan, TileError, TileSpec, VarSpec, is_flags
from geotoolz.sar._blocks import block_means, block_modes, blocks_of
from geotoolz.sar._quantity import backscatter_bands, is_backscatter


class MultiLook(Map):
    """Mean power of blocks of pixels: the pixels grow, and so does the number of looks.

    Reads and writes every variable of the tile, on a grid of ``rows × columns`` times larger pixels.
    Blocks are counted from the origin of the reference system, so that tiles of one lattice have the
    same blocks wherever they were cut; a block at the tile's edge is made of what is there.
    Measurements become float32 means of the valid pixels (NaN without any): backscatter has to be
    linear power. Flags, classes and masks take the value that most pixels of a block have, of their own
    type; their no-data does not count. A block is computed of its own pixels alone.

    Parameters
    ----------
    rows : int
        Pixels of a block along y.
    columns : int, optional
        Pixels of a block along x; by default as many.

    Raises
    ------
    ParameterError
        If a block has less than one row or column.
    QuantityError
        If backscatter is in decibels: a mean of logarithms is no mean power.

    References
    ----------
    Oliver, C., Quegan, S. (2004). Understanding synthetic aperture radar images. SciTech, section 4.4.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.sar import MultiLook
    >>> tile = contract_tile((8, 6), gaps=False)[["red"]].rename(red="vv")
    >>> tile.vv.attrs["quantity"] = "backscatter"
    >>> coarse = MultiLook(2)(tile)
    >>> coarse.vv.shape, bool(abs(coarse.vv[0, 0] - tile.vv[:2, :2].mean()) < 1e-6)
    ((4, 3), True)
    """

    rows: int = 2
    columns: int | None = None

    def validate(self) -> None:
        """Check the size of the blocks."""
        if self.rows < 1 or (self.columns is not None and self.columns < 1):
            raise ParameterError(f"rows={self.rows}, columns={self.columns}", expected="1 or more")

    def plan(self, tile: TileSpec) -> Plan:
        """Treat every variable in a call of its own."""
        power = tuple(name for name in tile.variables if is_backscatter(tile, name))
        notes = backscatter_bands(tile, power, "linear", "MultiLook")[1]
        columns = self.rows if self.columns is None else self.columns
        change = blocks_of(tile, (self.rows, columns), "MultiLook")
        writes, calls = {}, []
        for name, spec in tile.variables.items():
            if spec.dims[-2:] != ("y", "x") or spec.dtype.kind not in "biuf" or spec.dtype == "float16":
                raise TileError(
                    f"MultiLook reads {name!r}, which is {spec.dtype} with dims {spec.dims}",
                    expected="numbers with the last dims (y, x)",
                    fix="leave it out with SelectBands",
                )
            flags = is_flags(name, spec)
            writes[name] = spec if flags else VarSpec(spec.dims, attrs=spec.attrs)
            kernel = block_modes if flags else block_means
            calls.append(Call((name,), (name,), kernel, (change, spec.nodata_scalar)))
        return Plan(writes=writes, calls=tuple(calls), notes=notes, grid=change)
