"""Pictures of tiles as PNG files and as images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from geotoolz.core import MissingDependencyError, QuantityError, TileSpec
from geotoolz.core._lazy import xr
from geotoolz.viz._checks import CHANNELS, is_picture
from geotoolz.viz._colors import Array, rgba
from geotoolz.viz._picture import View, check_size, choose, on_background, render
from geotoolz.viz._png import encode_png

if TYPE_CHECKING:
    from PIL.Image import Image


def quicklook(
    tile: xr.Dataset,
    bands: str | Sequence[str] | None = None,
    *,
    size: int | None = 512,
    cmap: str | Sequence[str] | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    gamma: float = 1.0,
    time: int = -1,
    background: str | None = None,
) -> bytes:
    """Return a small picture of a tile as PNG.

    For looking at one tile. Reflectance is drawn between 0 and 0.3, indices between −1 and 1,
    classes in the colours of their legend, all else between its own percentiles 2 and 98. Tiles that
    must match, and pixels that are kept, are the business of `TrueColor` and `Colormap`.

    Parameters
    ----------
    tile : xarray.Dataset
        The tile. Of a lazy one only what is drawn is computed.
    bands : str, or three of them, optional
        Variables or roles. By default a finished picture, else red, green and blue, else an index,
        else the first variable.
    size : int, optional
        Pixels of the longer side at most; pixels are left out, not averaged. None draws them all.
    cmap : str or sequence of str, optional
        Colour map of a single band.
    vmin, vmax : float, optional
        Values of the first and the last colour.
    gamma : float
        Above 1 brightens dark pixels of three bands.
    time : int
        Position along ``time`` (or ``wavelength``); the last by default.
    background : str, optional
        Colour below what is transparent; by default it stays transparent.

    Returns
    -------
    bytes
        RGBA, or RGB on a background.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    ParameterError
        For limits that are not in order, unknown colours and maps, two bands.
    TileError
        If there is nothing to draw.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import quicklook
    >>> quicklook(simulate_scene((64, 64)), size=32)[1:4]
    b'PNG'
    """
    check_size(size)
    own = cmap if cmap is None or isinstance(cmap, str) else tuple(cmap)
    pixels = render(tile, View(choose(tile, bands), size, own, vmin, vmax, time, gamma))
    return encode_png(pixels if background is None else on_background(pixels, rgba(background)))


def to_png(tile: xr.Dataset, path: str | Path | None = None, *, names: Sequence[str] = CHANNELS) -> bytes:
    """Return a finished picture of a tile (of `TrueColor`, `Colormap`, …) as PNG, all of its pixels.

    Parameters
    ----------
    tile : xarray.Dataset
        A tile with the variables of a picture.
    path : str or Path, optional
        Also write it there.
    names : sequence of str
        The picture's variables: three, or four with the transparency.

    Returns
    -------
    bytes

    Raises
    ------
    QuantityError
        If the variables are no finished picture.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.viz import TrueColor, to_png
    >>> to_png(TrueColor()(simulate_scene((8, 8))))[1:4]
    b'PNG'
    """
    data = encode_png(_finished(tile, names))
    if path is not None:
        Path(path).write_bytes(data)
    return data


def to_image(
    tile: xr.Dataset, bands: str | Sequence[str] | None = None, *, size: int | None = None, time: int = -1
) -> Image:
    """Return a picture of a tile as an image of Pillow; what `quicklook` draws, by default in full size.

    Parameters
    ----------
    tile : xarray.Dataset
        The tile.
    bands, size, time
        As for `quicklook`.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    MissingDependencyError
        If Pillow is not installed.
    """
    try:
        import PIL.Image
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "geotoolz.viz.to_image needs Pillow, which is not installed",
            fix="pip install 'geotoolz-core[viz]'; quicklook and to_png do without it",
        ) from error
    check_size(size)
    return PIL.Image.fromarray(render(tile, View(choose(tile, bands), size, time=time)))


def _finished(tile: xr.Dataset, names: Sequence[str]) -> Array:
    spec = TileSpec.of(tile)
    found = [name for name in names if name in spec.variables]
    plain = [name for name in found if not is_picture(spec.variables[name])]
    if len(found) < 3 or plain:
        raise QuantityError(
            f"{', '.join(plain or found) or 'the tile'} is no finished picture",
            expected="the variables that TrueColor, FalseColor or a colour map writes",
            fix="to_png(TrueColor()(tile)); quicklook(tile) draws any tile",
        )
    return render(tile, View(tuple(found)))
