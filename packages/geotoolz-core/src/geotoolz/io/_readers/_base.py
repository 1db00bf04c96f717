"""What a reader is: it recognises one kind of product and says where its bands are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from odc.geo.geobox import GeoBox

    from geotoolz.core._specs import TileSpec
    from geotoolz.io._scene import BandRequest, SceneInfo
    from geotoolz.io._variables import Offset


class OpenScene(ABC):
    """A scene opened for reading in windows; every window has the bits of the same part of the whole.

    Attributes
    ----------
    origin : str
        What it was made from.
    spec : TileSpec
        The whole tile without its pixels.
    geobox : GeoBox
        The whole tile's grid.
    stamps : dict
        File → what tells whether it is still the same one.
    """

    origin: str
    spec: TileSpec
    geobox: GeoBox
    stamps: dict[str, tuple[int, ...] | None]

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The files that are read, for fingerprints."""

    @abstractmethod
    def arrays(
        self, names: Iterable[str] | None = None, rows: slice = ..., cols: slice = ...
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Read a window as arrays."""

    @abstractmethod
    def read(self, names: Iterable[str] | None = None, rows: slice = ..., cols: slice = ...) -> xr.Dataset:
        """Read a window as a tile."""


class Reader(ABC):
    """Recognises one kind of product on disk and makes a scene of it.

    A package adds one by an entry point in the group ``geotoolz.readers`` that names a subclass; such
    readers are asked before those of geotoolz.

    Attributes
    ----------
    name : str
        Identifier, such as ``"sentinel-2-safe"``.
    title : str
        What it reads, in words.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Tell from names (and a few bytes, if need be) whether a file or folder is of this kind.

        It is asked for every path that is opened: no metadata is parsed, no archive is unpacked.
        """

    @abstractmethod
    def scene(self, path: Path) -> SceneInfo:
        """Say what the product is and where its bands are; no pixel is read.

        Raises
        ------
        ReadError
            If the product is incomplete, or of a kind that is recognised in order to be refused.
        """

    def open(
        self,
        path: Path,
        bands: BandRequest,
        aoi: Any,
        resolution: float | None,
        raw: bool,
        offset: Offset,
        geobox: GeoBox | None,
    ) -> OpenScene | None:
        """Open a product whose pixels are no rasters of bands (a cube, a swath); None for all others."""
        return None
