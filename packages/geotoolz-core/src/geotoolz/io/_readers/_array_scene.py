"""Scenes whose pixels are cubes, stacks or swaths: layers that lie behind one another in one file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from geotoolz.core._coord import Coord
from geotoolz.core._errors import MissingVariableError, ParameterError, nearest
from geotoolz.core._grid import tile_from_arrays
from geotoolz.core._lazy import xr
from geotoolz.core._specs import TileSpec, VarSpec
from geotoolz.io._gdal import stamp_of
from geotoolz.io._lattice import Target, choose_target
from geotoolz.io._radiometry import Radiometry
from geotoolz.io._readers._base import OpenScene
from geotoolz.io._readers._blocks import BlockSource
from geotoolz.io._resample import Array
from geotoolz.io._scene import BandRequest
from geotoolz.io._variables import Band, band_values

_WHOLE = slice(None)
_ROWS = 512  # target rows per step, as where bands are resampled one by one


@dataclass(frozen=True)
class Layered:
    """One variable to be: its layers and what their pixels become.

    Parameters
    ----------
    spec : VarSpec
        With all dims; ``y`` and ``x`` last.
    bands : tuple of Band
        A layer each, in the order of the leading dim.
    """

    spec: VarSpec
    bands: tuple[Band, ...]


def layered(
    name: str,
    source: BlockSource,
    radiometry: Mapping[int, Radiometry] | Radiometry,
    dims: tuple[str, ...],
    attrs: Mapping[str, Any],
    raw: bool,
) -> Layered:
    """Make a variable of all layers of a source.

    Parameters
    ----------
    name : str
        The variable.
    source : BlockSource
        The first layer.
    radiometry : Radiometry, or mapping of int to Radiometry
        What the pixels become; by layer where that differs.
    dims : tuple of str
        Of the variable.
    attrs : mapping
        Attributes besides quantity, units, scale and offset.
    raw : bool
        Keep the pixels as they are stored.

    Returns
    -------
    Layered
    """
    every = [
        radiometry if isinstance(radiometry, Radiometry) else radiometry[i]
        for i in range(source.blocks.count)
    ]
    scaled = not raw and any(one.applies for one in every)
    dtype = source.dtype
    if scaled:
        dtype = np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)
    nodata: float | int | None = every[0].nodata if every else None
    if dtype.kind == "f" and not raw:
        nodata = math.nan
    alike = all(replace(one, nodata=None) == replace(every[0], nodata=None) for one in every)
    said = every[0].attrs(raw) if alike and every else {"quantity": "dn" if raw else every[0].quantity}
    spec = VarSpec(dims, dtype, nodata, {**attrs, **said})
    flat = replace(spec, dims=("y", "x"))
    bands = tuple(
        Band(name, replace(source, index=i, nodata=one.nodata), one, flat, not scaled)
        for i, one in enumerate(every, start=1)
    )
    return Layered(spec, bands)


@dataclass(frozen=True)
class Contents:
    """What a product holds, before a grid is chosen.

    Parameters
    ----------
    origin : str
        The product, for messages.
    variables : mapping of str to Layered
        In order.
    coords : mapping of str to Coord
        Along leading dims.
    attrs : mapping
        Of the tile.
    files : tuple of str
        What is read.
    """

    origin: str
    variables: Mapping[str, Layered]
    coords: Mapping[str, Coord] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def select(self, bands: BandRequest) -> dict[str, Layered]:
        """Return the asked variables under the asked names.

        Raises
        ------
        MissingVariableError
            With what the product has and the nearest name.
        """
        if bands is None:
            return dict(self.variables)
        if isinstance(bands, str):
            bands = (bands,)
        asked = dict(bands) if isinstance(bands, Mapping) else {name: name for name in bands}
        if not asked:
            raise ParameterError(
                "bands is empty", expected="at least one variable", fix="leave it out for all"
            )
        for wanted in asked.values():
            if wanted not in self.variables:
                known = list(self.variables)
                raise MissingVariableError(
                    f"{self.origin} has no variable {wanted!r}{nearest(str(wanted), known)}; "
                    f"it has {', '.join(known)}",
                    fix="ask for one of these",
                )
        return {name: self.variables[str(wanted)] for name, wanted in asked.items()}


class ArrayScene(OpenScene):
    """Variables of one or more layers on the grid that was asked for.

    Parameters
    ----------
    contents : Contents
        The product.
    bands, aoi, resolution, geobox
        As `geotoolz.open_tile` takes them.
    """

    def __init__(
        self, contents: Contents, bands: BandRequest, aoi: Any, resolution: float | None, geobox: Any
    ) -> None:
        self.origin = contents.origin
        self._layers = contents.select(bands)
        self._files = contents.files
        grids = {name: layer.bands[0].source.grid for name, layer in self._layers.items()}
        self._target: Target = choose_target(grids, self.origin, aoi, resolution, geobox)
        self.geobox = self._target.geobox
        self.stamps = {path: stamp_of(path) for path in self._files}
        sizes = {"y": self._target.height, "x": self._target.width}
        used = {dim for layer in self._layers.values() for dim in layer.spec.dims}
        self._coords = {name: c for name, c in contents.coords.items() if c.dim in used}
        for layer in self._layers.values():
            sizes |= {dim: len(layer.bands) for dim in layer.spec.dims[:-2]}
        variables = {name: layer.spec for name, layer in self._layers.items()}
        self.spec = TileSpec(variables, sizes, self.geobox, (0, 0), dict(contents.attrs), self._coords)

    def __repr__(self) -> str:
        shape = f"{self._target.height} × {self._target.width}"
        return f"<ArrayScene {self.origin}: {', '.join(self._layers)}; {shape}>"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The files that are read, for fingerprints."""
        return self._files

    def arrays(
        self, names: Iterable[str] | None = None, rows: slice = _WHOLE, cols: slice = _WHOLE
    ) -> dict[str, Array]:
        """Read a window as arrays."""
        part = self._target.cut(rows, cols)
        return {name: _values(layer, part) for name, layer in self._chosen(names).items()}

    def read(
        self, names: Iterable[str] | None = None, rows: slice = _WHOLE, cols: slice = _WHOLE
    ) -> xr.Dataset:
        """Read a window as a tile."""
        part = self._target.cut(rows, cols)
        chosen = self._chosen(names)
        used = {dim for layer in chosen.values() for dim in layer.spec.dims}
        return tile_from_arrays(
            {name: (layer.spec.dims, _values(layer, part)) for name, layer in chosen.items()},
            part.geobox,
            attrs=self.spec.attrs,
            var_attrs={name: layer.spec.attrs for name, layer in chosen.items()},
            nodata={name: layer.spec.nodata for name, layer in chosen.items()},
            coords={name: c.variable() for name, c in self._coords.items() if c.dim in used},
        )

    def _chosen(self, names: Iterable[str] | None) -> dict[str, Layered]:
        if names is None:
            return self._layers
        asked = (names,) if isinstance(names, str) else tuple(names)
        for name in asked:
            if name not in self._layers:
                raise MissingVariableError(
                    f"{self.origin} was opened without {name!r}{nearest(name, list(self._layers))}; "
                    f"it has {', '.join(self._layers)}"
                )
        return {name: self._layers[name] for name in asked}


def _values(layer: Layered, part: Target) -> Array:
    """Read all layers of a variable, some rows at a time, so that layers that lie together are read once."""
    lead = (len(layer.bands),) if len(layer.spec.dims) > 2 else ()
    out = np.empty((*lead, part.height, part.width), layer.spec.dtype)
    planes = out.reshape(len(layer.bands), part.height, part.width)
    for start in range(0, part.height, _ROWS):
        step = part.cut(slice(start, start + _ROWS), _WHOLE)
        for plane, band in zip(planes, layer.bands, strict=True):
            plane[start : start + step.height] = band_values(band, step)
    for band in layer.bands[:1]:
        if isinstance(band.source, BlockSource):
            band.source.blocks.release()
    return out


def refuse_offset(offset: Any, origin: str) -> None:
    """Raise if an offset is given for a product whose values are no Sentinel-2 or Landsat reflectance.

    Raises
    ------
    ParameterError
    """
    if offset is not None:
        raise ParameterError(
            f"offset={offset!r} for {origin}",
            expected="no offset: the product's own metadata give its scale",
            fix="leave offset= out, or read the stored numbers with raw=True",
        )
