"""Where the patches of a network lie: one lattice for a scene, whoever cuts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from geotoolz.core import ParameterError


class Piece(NamedTuple):
    """A patch along one axis: it begins at `start`, and gives the pixels ``first … end - 1``."""

    start: int
    first: int
    end: int


@dataclass(frozen=True)
class Axis:
    """The patches along one axis of a scene.

    All patches have one size and begin at multiples of the stride, and a pixel always comes from the same
    place of the same patch: what is computed of it does not depend on the window that it is computed in.
    Where a patch ends inside the scene, its `halo` outermost pixels are thrown away; where it ends at the
    scene's border they are right, because the whole scene's padding would lie there too.

    Parameters
    ----------
    size : int
        Pixels of the scene.
    patch : int
        Pixels of a patch.
    halo : int
        How far the network looks; a multiple of the stride.
    stride : int
        The network's total stride.
    reach : int
        How far the network looks, to the pixel.
    tile : tuple of int, optional
        First pixel of the tile and the one behind its last, where it is a part of the scene.

    Examples
    --------
    >>> Axis(20, 12, 2, 2).pieces(0, 20)
    [Piece(start=0, first=0, end=8), Piece(start=6, first=8, end=16), Piece(start=8, first=16, end=20)]
    """

    size: int
    patch: int
    halo: int = 0
    stride: int = 1
    reach: int = 0
    tile: tuple[int, int] | None = None

    @property
    def padded(self) -> int:
        """Pixels of the scene, filled up to whole blocks of the stride."""
        return -(-self.size // self.stride) * self.stride

    @property
    def side(self) -> int:
        """Pixels of a patch here: no more than the scene has."""
        return min(self.patch, self.padded)

    @property
    def cell(self) -> int:
        """Pixels that a patch inside the scene gives."""
        return self.side if self.side == self.padded else self.patch - 2 * self.halo

    def pieces(self, low: int, high: int) -> list[Piece]:
        """Return the patches that give the pixels ``low … high - 1``."""
        found = []
        for number in range(low // self.cell, -(-high // self.cell)):
            at = number * self.cell
            start = min(max(at - self.halo, 0), self.padded - self.side)
            found.append(Piece(start, max(at, low), min(at + self.cell, high)))
        return found

    def core(self, low: int, high: int) -> tuple[int, int]:
        """Return which pixels can be computed of a window ``low … high - 1``: up to the tile's own edges."""
        bounds = (0, self.size) if self.tile is None else self.tile
        first = low if low <= bounds[0] else low + self.reach
        end = high if high >= bounds[1] else high - self.reach
        return first, max(first, end)


def require_patch(patch: int, halo: int, stride: int) -> None:
    """Raise for patches that do not begin and end at whole blocks, or consist of halo.

    Raises
    ------
    ParameterError
        Naming sizes that work.
    """
    least = 2 * halo + stride
    if patch % stride == 0 and patch >= least:
        return
    below, above = max(patch // stride * stride, least), max(-(-patch // stride) * stride, least)
    works = f"{above}" if below == above else f"{below} or {above}"
    raise ParameterError(
        f"patches of {patch} pixels, and the network works in blocks of {stride} and looks {halo} pixels far",
        expected=f"a multiple of {stride}, {least} or more",
        fix=f"patch_size={works}",
    )


def default_patch(trained: int, halo: int, stride: int) -> int:
    """Return the size of patches where nobody says it.

    The size of training, or so large that half of a patch is no halo: of a smaller one most of the work
    would be thrown away.
    """
    return max(-(-trained // stride) * stride, 4 * halo, stride)
