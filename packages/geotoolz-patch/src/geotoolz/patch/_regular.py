"""Chips on a regular grid."""

from __future__ import annotations

from typing import Any

from geotoolz.core import Extent, ParameterError
from geotoolz.patch._axis import pair
from geotoolz.patch._chip import Chip
from geotoolz.patch._geometry import Rectangle, as_geometry
from geotoolz.patch._line import Boundary, Line, regular_line
from geotoolz.patch._sampler import Placed, Sampler, date_blocks
from geotoolz.patch._source import Source


class GridSampler(Sampler):
    """Chips on a regular grid that begins at the scene's first pixel: the sampler that can be stitched.

    Parameters
    ----------
    geometry : Rectangle or int or tuple of int
        Size of the chips; a number of pixels stands for a `Rectangle`.
    stride : int or tuple of int, optional
        Pixels from one chip to the next along rows and columns; by default the size: no overlap.
    boundary : {"reflect", "fill", "shift", "raise", "drop"}
        What happens where the scene ends inside a chip: the scene is mirrored at its last pixel (as often
        as it takes) or continued with no-data, the chip is shifted inward, or it is an error. ``"drop"``
        leaves such chips out, which is for training: `PatchGrid` tells what was left out, and nothing can be
        stitched.

    Raises
    ------
    ParameterError
        If a stride is 0; if a chip is larger than the scene and may not reach beyond it.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import GridSampler, PatchGrid
    >>> scene = simulate_scene((100, 80), bands=("red",))
    >>> len(PatchGrid(scene, GridSampler(32))), len(PatchGrid(scene, GridSampler(32, 16, boundary="drop")))
    (12, 20)
    """

    geometry: Rectangle
    stride: tuple[int, int] | None = None
    boundary: Boundary = "reflect"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels."""
        geometry, stride = as_geometry(values["geometry"]), pair(values["stride"], "stride")
        return {**values, "geometry": geometry, "stride": stride}

    @property
    def at_the_edge(self) -> Boundary:
        """What happens to chips that reach beyond the scene."""
        return self.boundary

    @property
    def steps(self) -> tuple[int, int]:
        """Pixels from one chip to the next."""
        return self.geometry.size if self.stride is None else self.stride

    def lines(self, shape: tuple[int, int]) -> tuple[Line, Line]:
        """Return the chips along y and along x."""
        (h, w), (sy, sx) = self.geometry.size, self.steps
        rows = regular_line(shape[0], h, sy, self.boundary, "y")
        return rows, regular_line(shape[1], w, sx, self.boundary, "x")

    def require_cover(self, align: int) -> None:
        """Raise unless the chips cover a scene and begin where an aligned operator needs it.

        Parameters
        ----------
        align : int
            The operator's blocks, a network's total stride.
        """
        if self.boundary == "drop":
            raise ParameterError(
                'boundary="drop" leaves the edge of the scene out, and it would be missing in the result',
                expected='"reflect", "shift", "fill" or "raise" for stitching',
            )
        for what, size, stride in zip(("rows", "columns"), self.geometry.size, self.steps, strict=True):
            if stride > size:
                raise ParameterError(
                    f"stride={stride} is larger than the chip's {size} {what}: some pixels lie in none",
                    expected=f"1 to {size} for stitching",
                )
            if size % align or stride % align:
                raise ParameterError(
                    f"chips of {size} {what} every {stride}, and the operator works in blocks of {align}",
                    expected=f"multiples of {align} (a network's total stride)",
                    fix=f"size {-(-size // align) * align}, stride {max(stride // align, 1) * align}",
                )

    def require_aligned(self, lines: tuple[Line, Line], align: int) -> None:
        """Raise for chips that were shifted off an aligned operator's blocks."""
        for line in lines:
            wrong = [start for start in line.starts if start % align]
            if wrong:
                raise ParameterError(
                    f'boundary="shift" lets a chip begin at pixel {wrong[0]}, and the operator works in '
                    f"blocks of {align}",
                    expected=f"chips that begin at multiples of {align}",
                    fix='boundary="reflect"',
                )

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips: block of dates by block of dates, row by row."""
        spec = source.spec
        rows, cols = self.lines(spec.shape)
        (h, w), n = self.geometry.size, self.geometry.time
        blocks = date_blocks(spec, n, whole=self.boundary in ("drop", "raise"))
        chips = tuple(
            Chip(Extent(y, y + h, x, x + w), dates)
            for dates in blocks
            for y in rows.starts
            for x in cols.starts
        )
        height, width = spec.shape
        pixels = height * width
        covered = (height - rows.left_out) * (width - cols.left_out)
        share = 1 - covered / pixels if pixels else 0.0
        dropped = 0
        if self.boundary == "drop":
            full = len(date_blocks(spec, n, whole=False))
            every = [len(regular_line(k, s, d, "reflect").starts)
                     for k, s, d in zip(spec.shape, (h, w), self.steps, strict=True)]  # fmt: skip
            dropped = full * every[0] * every[1] - len(chips)
        return Placed(chips, dropped, share)
